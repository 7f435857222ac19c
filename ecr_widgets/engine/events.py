"""What a run tells those who watch it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RunEventKind(StrEnum):
    """What happened."""

    CELL_STARTED = "cell started"
    CELL_ENDED = "cell ended"
    RECORD = "record"
    STREAM = "stream"
    DISPLAY = "display"


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One thing that happened; `text` is the cell's first line, the record's JSON or the stream's text.

    `cell` counts the code cells, `place` all cells, each from 1.
    """

    kind: RunEventKind
    cell: int
    cells: int
    text: str = ""
    plain: str = ""
    """The plain-text form of a record or a display."""
    progress: str = ""
    """How far the record's step is, in one line; empty where it did not say."""
    name: str = ""
    """The stream's: `stdout` or `stderr`."""
    place: int = 0
    share: float | None = None
    """The share of the step that is done, from 0 to 1; None where the whole is not known."""
