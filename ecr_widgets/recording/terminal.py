"""Records for people at a terminal: progress bars while a step works, one line when it ended; all on stderr."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from ecr_widgets.model.record import StepRecord, StepState
from ecr_widgets.model.text import visible
from ecr_widgets.ports import Progress
from ecr_widgets.recording.rates import Rates
from ecr_widgets.recording.render import brief_text, progress_text, rate_text, to_text

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID


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
        return _TerminalView(record, bars=sys.stderr.isatty())


class _TerminalView:
    def __init__(self, record: StepRecord, *, bars: bool) -> None:
        self._bars: Bars | None = None
        self._lines: dict[str, TaskID] = {}
        self._rates_seen = Rates()
        if bars:
            self._bars = make_bars()
            self._bars.start()
            self._lines[""] = self._bars.add_task(record.step, total=None, rate="")

    def progress(self, observed: Progress) -> None:
        if self._bars is None:
            return
        if observed.what not in self._lines:
            self._lines[observed.what] = self._bars.add_task("", total=None, rate="")
        rate = self._rates_seen.rate(observed, time.monotonic())
        self._bars.update(
            self._lines[observed.what],
            description=visible(f"{observed.what} {observed.message}")[:60]
            if observed.total
            else progress_text(observed),
            completed=observed.done or 0,
            total=observed.total,
            rate="" if rate is None else rate_text(rate),
        )

    def restate(self, record: StepRecord) -> None:
        if self._bars is not None:
            self._bars.update(self._lines[""], description=record.step)

    def close(self, record: StepRecord) -> None:
        if self._bars is not None:
            stop_bars(self._bars)
        text = to_text(record)
        click.echo(text if record.state is not StepState.SUCCEEDED else brief_text(text), err=True)


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
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[rate]}"),
        console=Console(stderr=True),
        transient=True,
    )
