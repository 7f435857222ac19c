"""Which saved run brought a service to its current deploy."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from ecr_widgets.audit.row import Row


def deploys_by_service(rows: Iterable[Row]) -> Mapping[str, tuple[Row, ...]]:
    """Return the runs that moved each service, by environment/service, and did not roll it back; newest first, like the rows."""
    by_service: dict[str, tuple[Row, ...]] = {}
    for row in rows:
        for service in row.deployed:
            if service not in row.rolled_back:
                by_service[service] = (*by_service.get(service, ()), row)
    return by_service


def deploy_of(runs: Iterable[Row], digests: Collection[str]) -> Row | None:
    """Return the newest of a service's runs that names one of the digests, or the newest of all if no digests are given."""
    return next((row for row in runs if not digests or not set(digests).isdisjoint(row.digests)), None)


def image_of(images: Sequence[str], row: Row | None) -> str:
    """Return an image named by digest under the tag that the run that deployed it used; empty if no run is known."""
    by_digest = len(images) == 1 and "@" in images[0]
    return row.image if row is not None and by_digest else ""
