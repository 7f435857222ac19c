"""What an audit finds in a folder: runs, and notebooks that are no runs, each with its reason."""

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
"""Python 3.11 takes longer to find an enumeration's member than to compare it, and each step is asked several times."""


class Cell(msgspec.Struct, frozen=True, gc=False):
    """One code cell that has a source."""

    cell_id: str
    execution_count: int | None
    state: CellState | None
    """As our engine judged it; None where another tool ran the notebook."""
    calls: tuple[str, ...]
    """Names of the kit's steps that the source calls, one for each place."""
    steps: tuple[StepRecord, ...]
    """Records in the cell's outputs that count."""
    may_hold: frozenset[str] = frozenset()
    """Names of the records that these calls leave."""
    hidden: str | None = None
    """Why the source may call a step where nobody sees it."""


class Run(RunHeader, frozen=True, gc=False, kw_only=True):
    """One saved run: its header, which for a run without our engine is made of what its records say, and its cells."""

    path: str
    """Relative to the runs folder, with slashes."""
    origin: Origin
    cells: tuple[Cell, ...]
    bad_records: tuple[str, ...] = ()
    """Why records in it could not be read, or do not count."""
    held: bool = False
    """Whether a live process holds the run now."""
    note: str = ""
    """Why it was made, as its operation note says."""

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
    def steps(self) -> tuple[StepRecord, ...]:
        """All records, in the order of their cells."""
        found: list[StepRecord] = []
        for cell in self.cells:
            if cell.steps:
                found += cell.steps
        return tuple(found)


class NoRun(msgspec.Struct, frozen=True, gc=False):
    """A notebook that is no run of ours."""

    path: str
    kind: str
    """`foreign` or `unreadable`."""
    why: str


Found = Run | NoRun
