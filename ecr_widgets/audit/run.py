"""What an audit finds in a folder: runs, and notebooks that are not runs, each with the reason."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from ecr_widgets.model.record import CellState, StepRecord, StepState
from ecr_widgets.model.run import RunHeader


class Origin(StrEnum):
    """What executed the notebook; only our engine watches every cell itself."""

    ENGINE = "engine"
    PAPERMILL = "papermill"
    BY_HAND = "by hand"


SUCCEEDED: Final = StepState.SUCCEEDED
"""Looking up an enum member takes Python 3.11 longer than comparing it, and each step is compared several times."""


class Cell(msgspec.Struct, frozen=True, gc=False):
    """One code cell that has a source."""

    cell_id: str
    execution_count: int | None
    state: CellState | None
    """The state according to our engine; None if another tool ran the notebook."""
    calls: tuple[str, ...]
    """Names of the kit's steps that the source calls, one per call."""
    steps: tuple[StepRecord, ...]
    """The valid records in the cell's outputs."""
    may_hold: frozenset[str] = frozenset()
    """Names of the records that these calls may leave."""
    hidden: str | None = None
    """Why the source may call a step that an audit cannot see."""


class Run(RunHeader, frozen=True, gc=False, kw_only=True):
    """One saved run: its header, which is derived from the records if our engine did not run it, and its cells."""

    path: str
    """Relative to the runs folder, with slashes."""
    origin: Origin
    cells: tuple[Cell, ...]
    bad_records: tuple[str, ...] = ()
    """Why some records could not be read, or do not count."""
    held: bool = False
    """Whether a live process holds the run now."""
    note: str = ""
    """The reason for the run, from its operation note."""

    @property
    def is_plan(self) -> bool:
        """Whether the run or any of its steps is marked as a plan; either means that the run cannot prove a change."""
        if self.plan:
            return True
        # Plain loops, because this runs for every step that an audit reads.
        for cell in self.cells:
            for step in cell.steps:
                if step.outcome.get("planned"):
                    return True
        return False

    @property
    def steps(self) -> tuple[StepRecord, ...]:
        """All records, in cell order."""
        return tuple(step for cell in self.cells for step in cell.steps)


class NoRun(msgspec.Struct, frozen=True, gc=False):
    """A notebook that is not one of our runs."""

    path: str
    kind: str
    """`foreign` or `unreadable`."""
    why: str


Found = Run | NoRun
