"""Records for people at a terminal: progress bars while a step works, one line when it ended; all on stderr."""

from __future__ import annotations

import os
import sys
import time
from contextlib import nullcontext
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
"""Of a record's sign."""


class QuietSink:
    """Shows nothing; the recorder keeps the records."""

    def open(self, record: StepRecord) -> QuietSink:
        """Take note of nothing."""
        return self

    def progress(self, observed: Progress) -> None:
        """Take note of nothing."""

    def restate(self, record: StepRecord) -> None:
        """Take note of nothing."""

    def close(self, record: StepRecord) -> None:
        """Take note of nothing."""


class TerminalSink:
    """Talks on stderr; bars only where that is a terminal."""

    def open(self, record: StepRecord) -> _TerminalView:
        """Say what starts."""
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
        # A command ends with the error itself, which need not be read twice.
        text = to_text(record, with_error=self._bars is None)
        tell(text if record.state is not StepState.SUCCEEDED else brief_text(text), self._bars)
        if self._bars is not None:
            stop_bars(self._bars)


def tell(text: str, bars: Bars | None) -> None:
    """Print lines on stderr, above the bars where there are any: what is written past rich ends up in a bar's line."""
    if bars is None:
        click.echo(text, err=True)
        return
    from rich.text import Text

    line = Text(text)
    line.stylize(_COLOURS.get(text[:1], ""), 0, 1)
    # Between where rich has looked for the bars' first line and where it writes, its thread may draw others: then it would go
    # up too far, and erase this line.
    with getattr(bars.live, "_lock", nullcontext()):
        bars.console.print(line, soft_wrap=True)


def is_live(stream: TextIO) -> bool:
    """Whether it is a terminal on which lines can be drawn again."""
    return stream.isatty() and os.environ.get("TERM") not in {None, "", "dumb"}


def stop_bars(bars: Bars) -> None:
    """Remove the bars, and wait for the thread that draws them.

    rich leaves that thread behind. Where it still writes when Python ends, Python aborts, whatever the exit code was to be.
    """
    drawing = getattr(bars.live, "_refresh_thread", None)
    bars.stop()
    if drawing is not None:
        drawing.join()


def make_bars() -> Bars:
    """Bars that vanish when their step ended."""
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
