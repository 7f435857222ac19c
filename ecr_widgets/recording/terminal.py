"""Records for people at a terminal: progress bars while a step runs, one line when it has ended; all on stderr."""

from __future__ import annotations

import os
import sys
import time
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, TextIO

import click

from ecr_widgets.model.record import StepRecord, StepState
from ecr_widgets.ports import Progress
from ecr_widgets.recording.rates import TOTAL, Rates, Total
from ecr_widgets.recording.render import brief_text, progress_text, to_text

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID


_COLOURS = {"✓": "green", "=": "dim", "✗": "bold red", "?": "bold yellow", "…": "yellow"}
"""By the sign that a record's text starts with."""


class QuietSink:
    """Shows nothing; the recorder keeps the records."""

    def open(self, record: StepRecord) -> QuietSink:
        """Do nothing."""
        return self

    def progress(self, observed: Progress) -> None:
        """Do nothing."""

    def restate(self, record: StepRecord) -> None:
        """Do nothing."""

    def close(self, record: StepRecord) -> None:
        """Do nothing."""


class TerminalSink:
    """Writes to stderr; shows bars only if that is a terminal."""

    def open(self, record: StepRecord) -> _TerminalView:
        """Show that a step starts."""
        return _TerminalView(record, bars=is_live(sys.stderr))


class _TerminalView:
    def __init__(self, record: StepRecord, *, bars: bool) -> None:
        self._bars: Bars | None = None
        self._lines: dict[str, TaskID] = {}
        self._step = record.step
        self._rates_seen, self._total = Rates(), Total()
        if bars:
            self._bars = make_bars()
            self._bars.start()
            self._lines[TOTAL] = self._bars.add_task(record.step, total=None)

    def progress(self, observed: Progress) -> None:
        if self._bars is None:
            return
        self._total.take(observed)
        for each in filter(None, (observed, self._total.observed())):
            if each.what not in self._lines:
                self._lines[each.what] = self._bars.add_task("", total=None)
            text = progress_text(each, self._rates_seen.rate(each, time.monotonic()))
            self._bars.update(
                self._lines[each.what],
                description=f"{self._step}  {text}" if each.what == TOTAL else f"  {text}",
                completed=each.done or 0,
                total=each.total,
            )

    def restate(self, record: StepRecord) -> None:
        self._step = record.step
        if self._bars is not None:
            self._bars.update(self._lines[TOTAL], description=record.step)

    def close(self, record: StepRecord) -> None:
        # The command itself prints the error at its end; do not print it twice.
        text = to_text(record, with_error=self._bars is None)
        tell(text if record.state is not StepState.SUCCEEDED else brief_text(text), self._bars)
        if self._bars is not None:
            stop_bars(self._bars)


def tell(text: str, bars: Bars | None) -> None:
    """Print lines on stderr, above the bars if there are any: output that bypasses rich would end up in a bar's line.

    If they cannot be written, because nobody reads them (`2>&1 | head`) or the disk is full, the work continues.
    """
    with suppress(OSError):
        _tell(text, bars)


def _tell(text: str, bars: Bars | None) -> None:
    if bars is None:
        click.echo(text, err=True)
        return
    from rich.text import Text

    line = Text(text)
    line.stylize(_COLOURS.get(text[:1], ""), 0, 1)
    # After rich has computed the bars' first line and before it writes, its thread may redraw them: then it would go up too far
    # and erase this line.
    with getattr(bars.live, "_lock", nullcontext()):
        bars.console.print(line, soft_wrap=True)


def is_live(stream: TextIO | None) -> bool:
    """Whether a stream is a terminal on which lines can be redrawn; None stands for a stream that was closed."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") not in {None, "", "dumb"}


def stop_bars(bars: Bars) -> None:
    """Remove the bars, and wait for the thread that draws them.

    rich does not join that thread. If it is still writing when Python exits, Python aborts and the exit code is lost.
    """
    drawing = getattr(bars.live, "_refresh_thread", None)
    with suppress(OSError):
        bars.stop()
    if drawing is not None:
        drawing.join()


def make_bars() -> Bars:
    """Bars that disappear when their step ends."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    return Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
