"""What an audit finds in a folder: runs, and notebooks that are none, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec

from ecr_widgets.model.record import CellState, RunState, StepState


class Origin(StrEnum):
    """What executed the notebook; only our engine watches every cell itself."""

    ENGINE = "engine"
    PAPERMILL = "papermill"
    BY_HAND = "by hand"


SUCCEEDED: Final = StepState.SUCCEEDED
"""Python 3.11 takes longer to find an enumeration's member than to compare it, and each step is asked several times."""

Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Step(msgspec.Struct, frozen=True, gc=False):
    """One step's record, version 1, just as it was found; decoded straight into this."""

    version: int
    run_id: str
    sequence: int
    step: str
    state: StepState
    inputs: dict[str, Any]
    outcome: dict[str, Any]
    started_at: Moment
    changed: bool | None = None
    error: dict[str, Any] | None = None
    ended_at: Moment | None = None

    @property
    def is_planned(self) -> bool:
        """Whether it only says what it would do; `changed` then says whether it would change anything."""
        return bool(self.outcome.get("planned"))


class Cell(msgspec.Struct, frozen=True, gc=False):
    """One code cell that has a source."""

    cell_id: str
    execution_count: int | None
    state: CellState | None
    """As our engine judged it; None where another tool ran the notebook."""
    calls: tuple[str, ...]
    """Names of the kit's steps that the source calls, one for each place."""
    steps: tuple[Step, ...]
    """Records in the cell's outputs that count."""
    may_hold: frozenset[str] = frozenset()
    """Names of the records that these calls leave."""
    hidden: str | None = None
    """Why the source may call a step where nobody sees it."""


class Run(msgspec.Struct, frozen=True, gc=False):
    """One saved run."""

    path: str
    """Relative to the runs folder, with slashes."""
    origin: Origin
    run_id: str
    runbook: str
    runbook_sha256: str | None
    state: RunState
    reason: str | None
    actor: str | None
    host: str | None
    parameters: Mapping[str, Any]
    started_at: datetime | None
    ended_at: datetime | None
    cells: tuple[Cell, ...]
    bad_records: tuple[str, ...] = ()
    """Why records in it could not be read, or do not count."""
    held: bool = False
    """Whether a live process holds the run now."""
    plan: bool = False
    """Whether it only looked at what it would change."""
    approval: Mapping[str, Any] | None = None
    """Who requested and who approved it, for a run that needed that."""
    resumed_at: datetime | None = None
    """When its last attempt began, where that is not its first."""

    @property
    def is_plan(self) -> bool:
        """Whether the run or any step of it calls itself a plan: either is enough to prove no change."""
        if self.plan:
            return True
        # Written out: it is asked of every step that an audit reads.
        for cell in self.cells:
            for step in cell.steps:
                if step.outcome.get("planned"):
                    return True
        return False

    @property
    def steps(self) -> tuple[Step, ...]:
        """All records, in the order of their cells."""
        found: list[Step] = []
        for cell in self.cells:
            if cell.steps:
                found += cell.steps
        return tuple(found)

    @property
    def duration_s(self) -> float | None:
        """Seconds from start to end; None while either is not known."""
        if self.started_at is None or self.ended_at is None:
            return None
        return round((self.ended_at - self.started_at).total_seconds(), 3)


class NoRun(msgspec.Struct, frozen=True, gc=False):
    """A notebook that is no run of ours."""

    path: str
    kind: str
    """`foreign` or `unreadable`."""
    why: str


Found = Run | NoRun
