"""`ecr-widgets audit list` and `figures` for people: each run's outcome, what it was about, who ran it and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from itertools import chain

import click

from ecr_widgets.audit.figures import ServiceFigures
from ecr_widgets.audit.judging import Verdict
from ecr_widgets.audit.row import Row
from ecr_widgets.audit.verdict_signs import look_of
from ecr_widgets.cli.tables import Column, is_brief, print_table, since
from ecr_widgets.model.amounts import age
from ecr_widgets.model.text import one_line
from ecr_widgets.model.times import from_rfc3339
from ecr_widgets.saved_runs.outcome import Outcome

_COLOURS = {
    Outcome.SUCCEEDED: "green",
    Outcome.FAILED: "red",
    Outcome.LEFT_DOWN: "red",
    Outcome.ROLLED_BACK: "yellow",
    Outcome.INTERRUPTED: "yellow",
    Outcome.KILLED: "yellow",
    Outcome.UNKNOWN: "yellow",
    Outcome.RUNNING: "blue",
}
_ODD_SEALS = ("unsealed", "overwritten", "key unknown")
_SHORT_ID = 6


def print_runs(rows: Iterable[Row], *, wide: bool) -> bool:
    """Print runs; return whether there were any."""
    rows = iter(rows)
    first = next(rows, None)
    if first is None:
        return False
    every = chain((first,), rows)
    if is_brief(wide=wide):
        print_table(every, _BRIEF, _BRIEF, wide=False)
        return True
    # Line by line, because a folder may have 100,000.
    click.echo("  ".join((*(f"{header:<{width}}" for header, width, _ in _FULL), "NOTEBOOK")))
    for row in every:
        cells = [f"{one_line(of(row)) or '-':<{width}}" for _, width, of in _FULL]
        remarks = "; ".join(filter(None, (row.seal if row.seal in _ODD_SEALS else "", row.remark)))
        click.echo("  ".join((*cells, one_line(row.path + (f"  ({remarks})" if remarks else "")))))
    return True


_FULL: tuple[tuple[str, int, Callable[[Row], str]], ...] = (
    ("VERDICT", 11, lambda row: row.verdict),
    ("STARTED", 24, lambda row: row.started_at or ""),
    ("TOOK", 8, lambda row: "" if row.duration_s is None else f"{row.duration_s:.1f} s"),
    ("RUNBOOK", 12, lambda row: row.runbook or ""),
    ("SERVICE", 20, lambda row: ", ".join(row.services)),
    ("OUTCOME", 25, lambda row: row.outcome_words),
    ("WHAT", 36, lambda row: row.what),
    ("WHO", 12, lambda row: row.actor or ""),
    ("WHY", 20, lambda row: row.note),
)


def outcome_text(row: Row) -> str:
    """Return a run's outcome and the reason, and what its verdict and seal add to that."""
    words = row.outcome_words or row.verdict
    if row.verdict == Verdict.TAMPERED or (
        row.outcome == Outcome.SUCCEEDED and row.verdict != Verdict.PROVEN
    ):
        words = row.verdict
    seal = row.seal if row.seal in _ODD_SEALS else ""
    return "; ".join(filter(None, (words, seal, row.remark)))


def print_figures(found: Iterable[ServiceFigures], *, wide: bool) -> None:
    """Print the figures of each service."""
    service = Column[ServiceFigures]("SERVICE", lambda one: one.names, least=12)
    deploys = Column[ServiceFigures]("DEPLOYS", lambda one: one.deploys, is_number=True)
    a_day = Column[ServiceFigures]("A DAY", lambda one: f"{one.deploys_a_day:.2f}", is_number=True)
    failed = Column[ServiceFigures](
        "FAILED",
        lambda one: f"{one.failed} ({one.failure_rate:.0%})",
        colour=lambda one: "red" if one.failed else None,
        is_number=True,
    )
    restored = Column[ServiceFigures](
        "RESTORED IN", lambda one: _duration(one.median_recovery_s), is_number=True
    )
    lead = Column[ServiceFigures](
        "LEAD TIME", lambda one: _duration(one.median_lead_s), is_number=True, optional=True
    )
    columns = (service, deploys, a_day, failed, restored, lead)
    down_since = Column[ServiceFigures]("DOWN SINCE", lambda one: one.down_since or "-")
    down_for = Column[ServiceFigures](
        "DOWN FOR",
        lambda one: since(from_rfc3339(one.down_since)) if one.down_since else "",
        colour=lambda _: "red",
    )
    print_table(found, (*columns, down_since), (*columns, down_for), wide=wide)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds:.0f} s" if seconds < 60 else age(timedelta(seconds=seconds))


def _colour(row: Row) -> str | None:
    if row.verdict == Verdict.TAMPERED:
        return "red"
    return _COLOURS.get(Outcome(row.outcome)) if row.outcome else None


_BRIEF = (
    Column[Row]("", lambda row: look_of(row).sign, colour=_colour),
    Column[Row]("RUN", lambda row: (row.run_id or "")[-_SHORT_ID:]),
    Column[Row](
        "WHEN", lambda row: since(from_rfc3339(row.started_at)) if row.started_at else "", is_number=True
    ),
    Column[Row]("RUNBOOK", lambda row: row.runbook or row.path, least=7),
    Column[Row]("WHAT", lambda row: row.what or ", ".join(row.services), least=12),
    Column[Row]("WHO", lambda row: row.actor or "", least=4, optional=True),
    Column[Row]("WHY", lambda row: row.note, least=7, optional=True),
    Column[Row]("OUTCOME", outcome_text, least=16, colour=_colour),
)
