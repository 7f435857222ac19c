"""The figures that operations people report: deploys a day, failure rate and time to recover, by service."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from statistics import median
from typing import Any

from ecr_widgets.audit.row import Row
from ecr_widgets.model.record import RunState
from ecr_widgets.model.times import from_rfc3339


@dataclass(frozen=True, slots=True)
class ServiceFigures:
    """One service over the time that its runs span.

    A deploy is a run that changed the service or set out to; it failed where the run did not succeed. Recovery is from the
    end of the first failed deploy to the end of the next one that succeeded.
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


@dataclass(slots=True)
class _Deploys:
    ends: list[tuple[datetime, bool]] = field(default_factory=list)


def figures(rows: Iterable[Row]) -> tuple[ServiceFigures, ...]:
    """Figures of every service that any of the runs set out to change, by name."""
    services: dict[str, _Deploys] = {}
    for row in rows:
        moment = row.ended_at or row.started_at
        if moment is not None and row.state != RunState.RUNNING.value:
            good = row.state == RunState.SUCCEEDED.value
            for service in row.services:
                services.setdefault(service, _Deploys()).ends.append((from_rfc3339(moment), good))
    return tuple(_figures(name, sorted(found.ends)) for name, found in sorted(services.items()))


def _figures(service: str, ends: list[tuple[datetime, bool]]) -> ServiceFigures:
    failed = sum(not good for _, good in ends)
    days = max(1.0, (ends[-1][0] - ends[0][0]).total_seconds() / 86_400)
    recovered_s: list[float] = []
    down: datetime | None = None
    for moment, good in ends:
        if good and down is not None:
            recovered_s.append((moment - down).total_seconds())
        down = None if good else (down or moment)
    return ServiceFigures(
        service,
        len(ends),
        failed,
        round(failed / len(ends), 4),
        round(len(ends) / days, 3),
        len(recovered_s),
        round(median(recovered_s), 1) if recovered_s else None,
        down.isoformat().replace("+00:00", "Z") if down else None,
    )
