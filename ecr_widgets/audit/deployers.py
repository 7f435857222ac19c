"""Which saved run brought a service to what it runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from ecr_widgets.audit.row import Row


def deploys_by_service(rows: Iterable[Row]) -> Mapping[str, tuple[Row, ...]]:
    """The runs that moved each service, as environment/service, and left it there; newest first, as the rows are."""
    found: dict[str, tuple[Row, ...]] = {}
    for row in rows:
        for service in row.deployed:
            if service not in row.rolled_back:
                found[service] = (*found.get(service, ()), row)
    return found


def deploy_of(runs: Iterable[Row], digests: Collection[str]) -> Row | None:
    """The newest of a service's runs that names one of the digests; the newest at all where the service names none."""
    return next((row for row in runs if not digests or not set(digests).isdisjoint(row.digests)), None)


def image_of(images: Sequence[str], row: Row | None) -> str:
    """One image that is named by digest, by the tag that the run which deployed it names; empty where no run tells."""
    by_digest = len(images) == 1 and "@" in images[0]
    return row.image if row is not None and by_digest else ""
