"""The figures that operations teams report, by service: deploys per day, change failure rate, time to restore, lead time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from statistics import median
from typing import Any, NamedTuple

from ecr_widgets.audit.judging import Verdict
from ecr_widgets.audit.row import Row
from ecr_widgets.model.record import RunState
from ecr_widgets.model.times import from_rfc3339
from ecr_widgets.saved_runs.outcome import Outcome

Names = Mapping[str, tuple[str, ...]]
"""The other names of services that have several, by the name that is shown."""


@dataclass(frozen=True, slots=True)
class ServiceFigures:
    """The figures of one service over the time that its runs span.

    A deploy is a run that changed the service or tried to; a refused run is not one. It failed if the run did not succeed, or if
    the same run or a later one rolled it back. A rollback itself is not a deploy; if no run is known for the deploy that it
    undid, a failed deploy is counted in its place. Recovery lasts from the end of the first failed deploy to the end of the next
    successful deploy, the next rollback, or the next run that proved that the service runs what it should, even if that run
    changed nothing. For a run that rolls back by itself, recovery starts when it moved the service.
    """

    service: str
    deploys: int
    failed: int
    failure_rate: float
    """Failed deploys divided by all deploys, 0 to 1."""
    deploys_a_day: float
    """Per day from the first deploy to the last, over at least one day."""
    recoveries: int
    median_recovery_s: float | None
    """In seconds; None if nothing failed, or nothing has recovered yet."""
    down_since: str | None
    """The end of the first failed deploy that no good one has followed yet."""
    median_lead_s: float | None = None
    """In seconds, from the push of an image to the run that found the service running it; None if no runs show both."""
    other_names: tuple[str, ...] = ()
    """The other names of an adopted service."""

    @property
    def names(self) -> str:
        """All its names, the current one first."""
        return " = ".join((self.service, *self.other_names))

    def to_json(self) -> dict[str, Any]:
        """As `audit figures --json` prints it."""
        return asdict(self)


class Change(NamedTuple):
    """One deploy of a service."""

    moment: datetime
    failed: bool


class History(NamedTuple):
    """What runs did to one service, oldest first."""

    service: str
    changes: tuple[Change, ...]
    recovered: tuple[tuple[datetime, float], ...]
    """When the service was good again, and how long that took, in seconds."""
    leads: tuple[tuple[datetime, float], ...]
    """When an image was found running, and how long after its push, in seconds."""
    down_since: datetime | None


class _End(NamedTuple):
    """The end of a run, as it concerns one service."""

    moment: datetime
    good: bool
    is_deploy: bool
    brought_back: bool = False
    restored_s: float | None = None
    """Set if the run itself rolled the service back from what it had moved it to."""
    lead_s: float | None = None


def figures(rows: Iterable[Row], other_names: Names | None = None) -> tuple[ServiceFigures, ...]:
    """Return the figures of every service that any of the runs tried to change, sorted by name.

    Args:
        rows: Rows with one name per service, from `one_history`.

        other_names: The other names of services.
    """
    return tuple(
        _figures(history, (other_names or {}).get(history.service, ())) for history in histories(rows)
    )


def histories(rows: Iterable[Row]) -> tuple[History, ...]:
    """Return what the runs did to every service that any of them tried to change, sorted by name."""
    rows = list(rows)
    pushed = _pushed(rows)
    services: dict[str, list[_End]] = {}
    for row in rows:
        ended_at = row.ended_at or row.started_at
        if ended_at is None or row.state == RunState.RUNNING.value or row.outcome == Outcome.REFUSED.value:
            continue
        moment = from_rfc3339(ended_at)
        proven = row.verified if row.verdict == Verdict.PROVEN else ()
        for service in dict.fromkeys((*row.deployed, *proven)):
            brought_back = service in row.brought_back
            end = _End(
                moment,
                row.state == RunState.SUCCEEDED.value
                and service not in row.down
                and service not in row.rolled_back,
                service in row.deployed and not brought_back,
                brought_back,
                (row.restored_s or 0.0) if service in row.rolled_back else None,
                _lead_s(row, moment, pushed) if service in row.verified and not brought_back else None,
            )
            services.setdefault(service, []).append(end)
    return tuple(
        _history(name, sorted(ends, key=lambda end: end.moment))
        for name, ends in sorted(services.items())
        if any(end.is_deploy or end.brought_back for end in ends)
    )


def _history(service: str, ends: Sequence[_End]) -> History:
    changes: list[Change] = []
    recovered: list[tuple[datetime, float]] = []
    leads: list[tuple[datetime, float]] = []
    down: datetime | None = None
    for end in ends:
        if end.is_deploy:
            changes.append(Change(end.moment, failed=not end.good))
        elif end.brought_back and end.good:
            # The deploy that it undid has failed after all.
            changes[-1:] = [Change(changes[-1].moment if changes else end.moment, failed=True)]
        if end.good and end.lead_s is not None:
            leads.append((end.moment, end.lead_s))
        if end.restored_s is not None:
            recovered.append((end.moment, end.restored_s))
        if (end.good or end.restored_s is not None) and down is not None:
            recovered.append((end.moment, (end.moment - down).total_seconds()))
        down = None if end.good or end.restored_s is not None else (down or end.moment)
    return History(service, tuple(changes), tuple(recovered), tuple(leads), down)


def _figures(history: History, other_names: tuple[str, ...]) -> ServiceFigures:
    changes = history.changes
    failed = sum(change.failed for change in changes)
    days = max(1.0, (changes[-1].moment - changes[0].moment).total_seconds() / 86_400)
    down = history.down_since
    return ServiceFigures(
        history.service,
        len(changes),
        failed,
        round(failed / len(changes), 4),
        round(len(changes) / days, 3),
        len(history.recovered),
        _median_s(history.recovered),
        down.isoformat().replace("+00:00", "Z") if down else None,
        _median_s(history.leads),
        other_names,
    )


def _median_s(taken: Sequence[tuple[datetime, float]]) -> float | None:
    return round(median(took_s for _, took_s in taken), 1) if taken else None


def _pushed(rows: Iterable[Row]) -> dict[str, datetime]:
    """When each image was first pushed, by digest."""
    pushed: dict[str, datetime] = {}
    for row in rows:
        if row.pushed_at is not None:
            moment = from_rfc3339(row.pushed_at)
            for digest in row.digests:
                pushed[digest] = min(moment, pushed.get(digest, moment))
    return pushed


def _lead_s(row: Row, moment: datetime, pushed: Mapping[str, datetime]) -> float | None:
    if row.pushed_at is not None:
        return (moment - from_rfc3339(row.pushed_at)).total_seconds()
    known = [pushed[digest] for digest in row.digests if digest in pushed and pushed[digest] <= moment]
    return (moment - max(known)).total_seconds() if known else None
