"""Signs, words and colours of verdicts and runs, for everything that lists runs."""

from __future__ import annotations

from typing import NamedTuple

from ecr_widgets.audit.judging import Verdict
from ecr_widgets.audit.row import Row
from ecr_widgets.saved_runs import outcome as of_run

COLOURS = {
    Verdict.PROVEN: "#2e7d32",
    Verdict.UNPROVEN: "#8a6d00",
    Verdict.PLAN: "#546e7a",
    Verdict.FAILED: "#c62828",
    Verdict.INTERRUPTED: "#ad5a00",
    Verdict.RUNNING: "#1976d2",
    Verdict.TAMPERED: "#7b1fa2",
    Verdict.FOREIGN: "#607d8b",
    Verdict.UNREADABLE: "#37474f",
}
_SHAPES = {
    Verdict.PROVEN: "●",
    Verdict.PLAN: "☐",
    Verdict.FAILED: "✗",
    Verdict.TAMPERED: "⚠",
    Verdict.INTERRUPTED: "◐",
    Verdict.RUNNING: "▶",
}
"""Shown next to the colour, for colour-blind people and black-and-white displays."""


def sign_of(verdict: str) -> str:
    """The verdict's sign."""
    return _SHAPES.get(Verdict(verdict), "?")


def colour_of(verdict: str) -> str:
    """The verdict's colour, readable on white."""
    return COLOURS[Verdict(verdict)]


class Look(NamedTuple):
    """How a run is shown."""

    sign: str
    words: str
    colour: str


def look_of(row: Row) -> Look:
    """Return how to show a run's outcome; a tampered run is shown as tampered only, because its content cannot be trusted."""
    if row.outcome is None or row.verdict == Verdict.TAMPERED:
        return Look(sign_of(row.verdict), row.verdict, colour_of(row.verdict))
    outcome = of_run.Outcome(row.outcome)
    return Look(of_run.SIGNS[outcome], row.outcome_words, of_run.COLOURS[outcome])
