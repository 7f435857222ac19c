"""A run on a terminal: its steps as they happen, on stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ecr_widgets.cli.outcome import print_json
from ecr_widgets.engine.events import RunEvent, RunEventKind
from ecr_widgets.errors import RecordError
from ecr_widgets.model.record import StepRecord, StepState
from ecr_widgets.model.text import visible
from ecr_widgets.recording.render import brief_text
from ecr_widgets.recording.terminal import is_live, tell

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from ecr_widgets.engine.results import RunResult


class Watcher:
    """Prints each step when it has ended; meanwhile a bar on a terminal counts the cells.

    Args:
        quiet: Whether to print only failures.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._bars: Progress | None = None
        self._run: TaskID | None = None
        self._step: TaskID | None = None
        if not quiet and is_live(sys.stderr):
            from ecr_widgets.recording.terminal import make_bars

            self._bars = make_bars()
            self._bars.start()
            self._run = self._bars.add_task("starting", total=None)
            self._step = self._bars.add_task("", total=None, visible=False)

    def __call__(self, event: RunEvent) -> None:
        """Show one event."""
        if event.kind is RunEventKind.RECORD:
            self._record(event)
        if self._bars is not None and self._run is not None:
            self._bars.update(
                self._run,
                description=f"cell {event.cell} of {event.cells}",
                completed=event.cell - 1,
                total=event.cells,
            )

    def close(self) -> None:
        """Remove the bar."""
        if self._bars is not None:
            from ecr_widgets.recording.terminal import stop_bars

            stop_bars(self._bars)

    def _record(self, event: RunEvent) -> None:
        try:
            record = StepRecord.from_json(event.text)
        except RecordError:
            return  # a cell may show anything as a record
        if record.state is StepState.INTENDED and record.ended_at is None:
            if self._bars is not None and self._step is not None:
                self._bars.update(
                    self._step,
                    description=visible(f"{record.step}  {event.progress}".rstrip()),
                    completed=event.share or 0,
                    total=None if event.share is None else 1,
                    visible=True,
                )
            return
        if self._bars is not None and self._step is not None:
            self._bars.update(self._step, visible=False)
        if record.state is not StepState.SUCCEEDED:
            tell(event.plain, self._bars)
        elif not self._quiet:
            tell(brief_text(event.plain), self._bars)


def end_with(ctx: click.Context, result: RunResult, *, as_json: bool) -> None:
    """Print how a run ended, send notices if it did not end well, and exit with its code."""
    from ecr_widgets.engine.notices import tell_end
    from ecr_widgets.engine.results import WAITS_FOR_APPROVAL

    tell_end(result)
    if as_json:
        print_json(result.to_json())
    else:
        waits = result.exit_code == WAITS_FOR_APPROVAL
        already = f"this slot {'has a plan' if waits else 'has run'} already, " if result.ran_before else ""
        click.echo(f"{already}{result}")
        if waits:
            click.echo(
                f"nothing is changed yet; another person approves and runs it: ecr-widgets approve {result.run_id}"
            )
    ctx.exit(result.exit_code)
