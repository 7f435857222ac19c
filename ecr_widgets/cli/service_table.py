"""`ecr-widgets service list`: each service's state, what it runs and since when, and who deployed that."""

from __future__ import annotations

from collections.abc import Iterable

from ecr_widgets.audit.deployers import deploy_of, deploys_by_service, image_of
from ecr_widgets.audit.index import open_index
from ecr_widgets.audit.row import Row
from ecr_widgets.cli.tables import Column, print_table, since
from ecr_widgets.errors import EcrWidgetsError
from ecr_widgets.model.bucket_path import Place
from ecr_widgets.model.times import to_rfc3339
from ecr_widgets.steps.shared.service_list import ListedService, ServiceState, short_reference

_SIGNS = {
    ServiceState.STABLE: ("●", "green"),
    ServiceState.MOVING: ("◐", "yellow"),
    ServiceState.SHORT: ("◐", "yellow"),
    ServiceState.FAILED: ("✗", "red"),
    ServiceState.STOPPED: ("○", "bright_black"),
    ServiceState.GONE: ("○", "bright_black"),
}


def print_services(
    listed: Iterable[ListedService], runs: Place, *, wide: bool, in_one_environment: bool
) -> None:
    """Print the services.

    Args:
        runs: The saved runs, which show who deployed what; the folder need not exist.
    """
    listed = tuple(listed)
    deploys = _deploys(runs)
    by = {each.name: deploy_of(deploys.get(each.name, ()), each.digests) for each in listed}

    def who(each: ListedService) -> str:
        row = by[each.name]
        return (row.actor or "") if row is not None else ""

    def image(each: ListedService) -> str:
        named = image_of(each.images, by[each.name])
        return named or ", ".join(map(short_reference, each.images)) or each.deploy_id

    state = Column[ListedService]("STATE", lambda each: each.state.value, colour=_colour)
    print_table(
        listed,
        (
            Column("SERVICE", lambda each: each.summary.name),
            Column("ENVIRONMENT", lambda each: each.summary.environment),
            Column("ID", lambda each: each.summary.entity_id),
            state,
            Column("COPIES", lambda each: each.copies or "-"),
            Column("IMAGE", lambda each: ",".join(each.images) or "-"),
            Column("DEPLOY", lambda each: each.deploy_id or "-"),
            Column("SINCE", lambda each: to_rfc3339(each.since) or "-"),
            Column("BY", lambda each: who(each) or "-"),
        ),
        (
            Column("", lambda each: _SIGNS[each.state][0], colour=_colour),
            Column("SERVICE", lambda each: each.summary.name if in_one_environment else each.name, least=12),
            state,
            Column("COPIES", lambda each: each.copies),
            Column("IMAGE", image, least=16),
            Column("SINCE", lambda each: since(each.since), is_number=True),
            Column("BY", who, least=4, optional=True),
        ),
        wide=wide,
    )


def _colour(each: ListedService) -> str:
    return _SIGNS[each.state][1]


def _deploys(runs: Place) -> dict[str, tuple[Row, ...]]:
    try:
        with open_index(runs) as index:
            return dict(deploys_by_service(index.rows()))
    except EcrWidgetsError:
        return {}  # for example, there is no such folder: the deployers are unknown
