"""The figures that operations people report: deploys a day, failure rate and time to recover, by service."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from statistics import median
from typing import Any, NamedTuple

from ecr_widgets.audit.judging import Verdict
from ecr_widgets.audit.row import Row
from ecr_widgets.model.record import RunState
from ecr_widgets.model.times import from_rfc3339


@dataclass(frozen=True, slots=True)
class ServiceFigures:
    """One service over the time that its runs span.

    A deploy is a run that changed the service or set out to; it failed where the run did not succeed. Recovery is from the
    end of the first failed deploy to the end of the next one that succeeded, or of the next run that proved the service to
    run what it should: it need not have changed anything.
    """

    service: str
    deploys: int
    failed: int
    failure_rate: float
    """Failed deploys by all deploys, 0 to 1."""
    deploys_a_day: float
    """Over the days from the first deploy to the last, at least one day."""
    recoveries: int
    median_recovery_s: float | None
    """In seconds; None where nothing failed, or nothing has recovered yet."""
    down_since: str | None
    """End of the first failed deploy that no good one has followed yet."""

    def to_json(self) -> dict[str, Any]:
        """As `audit figures --json` prints it."""
        return asdict(self)


class _End(NamedTuple):
    """The end of a run, as one service saw it."""

    moment: datetime
    good: bool
    is_deploy: bool


def figures(rows: Iterable[Row]) -> tuple[ServiceFigures, ...]:
    """Figures of every service that any of the runs set out to change, by name."""
    services: dict[str, list[_End]] = {}
    for row in rows:
        moment = row.ended_at or row.started_at
        if moment is not None and row.state != RunState.RUNNING.value:
            good = row.state == RunState.SUCCEEDED.value
            proven = row.verified if row.verdict == Verdict.PROVEN else ()
            for service in dict.fromkeys((*row.deployed, *proven)):
                end = _End(from_rfc3339(moment), good, service in row.deployed)
                services.setdefault(service, []).append(end)
    return tuple(
        _figures(name, sorted(ends))
        for name, ends in sorted(services.items())
        if any(end.is_deploy for end in ends)
    )


def _figures(service: str, ends: list[_End]) -> ServiceFigures:
    deploys = [end for end in ends if end.is_deploy]
    failed = sum(not end.good for end in deploys)
    days = max(1.0, (deploys[-1].moment - deploys[0].moment).total_seconds() / 86_400)
    recovered_s: list[float] = []
    down: datetime | None = None
    for moment, good, _ in ends:
        if good and down is not None:
            recovered_s.append((moment - down).total_seconds())
        down = None if good else (down or moment)
    return ServiceFigures(
        service,
        len(deploys),
        failed,
        round(failed / len(deploys), 4),
        round(len(deploys) / days, 3),
        len(recovered_s),
        round(median(recovered_s), 1) if recovered_s else None,
        down.isoformat().replace("+00:00", "Z") if down else None,
    )
