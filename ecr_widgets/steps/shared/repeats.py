"""What had to be retried, so that a record distinguishes a smooth transfer from one that only got through in the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ecr_widgets.errors import EngineError
from ecr_widgets.ports import Clock, Progress, ProgressSink

T = TypeVar("T")

_PAUSES_S = (1.0, 2.0, 4.0)
"""Pauses before each retry of what failed temporarily, in seconds."""


def persist(what: str, call: Callable[[], T], *, clock: Clock, progress: ProgressSink) -> T:
    """Have an engine build or transfer an image, and again after a pause if it failed temporarily.

    That is safe: what is done or has arrived is not done twice, and the outcome is the same.

    Args:
        what: What it does, for progress reports.
    """
    for pause_s in _PAUSES_S:
        try:
            return call()
        except EngineError as error:
            if not error.retryable:
                raise
            progress(Progress(what, f"once more after {pause_s:g} s, since {error}", again=True))
            clock.sleep(pause_s)
    return call()


class Repeats:
    """Passes progress on, and keeps reports that something is retried."""

    def __init__(self, sink: ProgressSink) -> None:
        self._sink = sink
        self._repeats: list[str] = []

    def __call__(self, observed: Progress) -> None:
        if observed.again:
            self._repeats.append(f"{observed.what}: {observed.message}")
        self._sink(observed)

    @property
    def repeats(self) -> tuple[str, ...]:
        """One text for each retry, oldest first."""
        return tuple(self._repeats)
