"""Live output that papermill's options request: its log, files for the streams, a progress bar."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ecr_widgets.engine.events import RunEvent, RunEventKind
from ecr_widgets.secrets.redaction import SecretRegistry

_LOG = logging.getLogger("papermill")


class OutputLog:
    """Passes on what cells print and show, without known secrets.

    A secret may arrive in two pieces: the end of a stream that could be the start of a secret is held back until more output
    shows that it is not, or until the cell has ended.

    Args:
        log: Whether it goes to papermill's log (`--log-output`).

        files: Open text files by the name of their stream (`--stdout-file`, `--stderr-file`).
    """

    def __init__(self, known: SecretRegistry, *, log: bool, files: dict[str, Any]) -> None:
        self._known = known
        self._log = log
        self._files = files
        self._held: dict[str, str] = {}

    def __call__(self, event: RunEvent) -> None:
        """Handle one event."""
        if event.kind is RunEventKind.STREAM:
            text = self._held.pop(event.name, "") + event.text
            shown = self._known.safe_length(text)
            self._held[event.name] = text[shown:]
            self._pass_on(event.name, text[:shown])
            return
        for name, text in self._held.items():
            self._pass_on(name, text)
        self._held.clear()
        if self._log and event.kind is RunEventKind.DISPLAY and event.plain:
            _LOG.info(self._known.redact(event.plain))
        elif self._log and event.kind is RunEventKind.CELL_STARTED:
            _LOG.info(f"Executing Cell {event.place:-<40}")
        elif self._log and event.kind is RunEventKind.CELL_ENDED:
            _LOG.info(f"Ending Cell {event.place:-<43}")

    def _pass_on(self, name: str, text: str) -> None:
        if not text:
            return
        text = self._known.redact(text)
        if self._log:
            _LOG.log(logging.WARNING if name == "stderr" else logging.INFO, text)
        file = self._files.get(name)
        if file is not None:
            try:
                file.write(text)
                file.flush()
            except (OSError, ValueError) as error:
                # This does not stop the run, since the saved notebook holds the same output.
                self._files.pop(name)
                _LOG.warning(f"The file for {name} cannot be written any more: {error}")


def both(one: Callable[[RunEvent], None], other: Callable[[RunEvent], None]) -> Callable[[RunEvent], None]:
    """Pass each event to two callables."""

    def tell(event: RunEvent) -> None:
        one(event)
        other(event)

    return tell


@contextmanager
def bar_for(cells: int, asked: bool | dict[str, Any]) -> Iterator[Callable[[RunEvent], None]]:  # noqa: FBT001
    """Papermill's own bar, moved by events within the block; does nothing if no bar is requested.

    Args:
        cells: Number of cells in the notebook.

        asked: Papermill's `progress_bar`: settings for tqdm, or whether there is a bar.
    """
    if asked is False:
        yield lambda _: None
        return
    from tqdm.auto import tqdm

    settings = {"unit": "cell", "desc": "Executing", **(asked if isinstance(asked, dict) else {})}
    with tqdm(total=cells, **settings) as bar:

        def move(event: RunEvent) -> None:
            if event.kind is RunEventKind.CELL_ENDED:
                bar.update(event.place - bar.n)

        yield move
