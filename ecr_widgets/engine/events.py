"""Events that a run reports to its watchers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RunEventKind(StrEnum):
    """The kind of an event."""

    CELL_STARTED = "cell started"
    CELL_ENDED = "cell ended"
    RECORD = "record"
    STREAM = "stream"
    DISPLAY = "display"


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One event; `text` is the cell's first line, the record's JSON or the stream's text.

    `cell` is the cell's number among the code cells, `place` among all cells; both count from 1.
    """

    kind: RunEventKind
    cell: int
    cells: int
    text: str = ""
    plain: str = ""
    """The plain-text form of a record or a display."""
    progress: str = ""
    """The progress of the record's step, in one line; empty if it reported none."""
    name: str = ""
    """The stream's name: `stdout` or `stderr`."""
    place: int = 0
    share: float | None = None
    """The share of the step that is done, from 0 to 1; None if the total is not known."""
