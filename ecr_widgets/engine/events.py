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


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One thing that happened; `text` is the cell's first line, the record's JSON or the stream's text."""

    kind: RunEventKind
    cell: int
    cells: int
    text: str = ""
    plain: str = ""
    """A record's plain-text form."""
    progress: str = ""
    """How far the record's step is, in one line; empty where it did not say."""
