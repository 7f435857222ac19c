"""How long a wait continues while the scheduler finds no place for a copy."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from ecr_widgets.model.services import Deployment, Service
from ecr_widgets.steps.shared.no_room import PATIENCE_S, SHORT_PATIENCE_S, NoRoom

AT = datetime(2026, 11, 23, tzinfo=UTC)
SAYS = "(service web) was unable to place a task because no container instance met all of its requirements."
NEW = Deployment("d2", "web:2", "PRIMARY", 1, 0, 0, AT, (SAYS,))
OLD = Deployment("d1", "web:1", "ACTIVE", 1, 1, 0, AT)


def service(*deployments: Deployment) -> Service:
    return Service("s", "web", "e", 1, 0, 1, deployments)


def at_least(percent: int) -> dict[str, Any]:
    return {"deploymentConfiguration": {"minimumHealthyPercent": percent}}


@pytest.mark.parametrize(
    ("deployments", "settings", "patience_s"),
    [
        ((NEW, OLD), at_least(50), PATIENCE_S),
        ((NEW, OLD), None, PATIENCE_S),
        ((NEW, OLD), at_least(100), SHORT_PATIENCE_S),
        ((NEW,), at_least(50), SHORT_PATIENCE_S),
    ],
)
def test_it_waits_long_only_for_copies_that_may_make_room(
    deployments: tuple[Deployment, ...], settings: dict[str, Any] | None, patience_s: float
) -> None:
    """The wait is long only if old copies may stop and make room; without settings it is long."""
    no_room = NoRoom()
    given = [
        no_room.look(service(*deployments), s, lambda: settings) for s in (0.0, patience_s - 1, patience_s)
    ]
    assert given == [False, False, True]
    assert no_room.reason == SAYS


def test_a_place_that_was_found_ends_it() -> None:
    """An event after which a copy was placed no longer counts, and the time starts again."""
    no_room, found = NoRoom(), replace(NEW, events=(SAYS, "(service web) has started 1 tasks: (task a)."))
    for deployment, at_s in ((NEW, 0.0), (found, 4.0), (NEW, 6.0)):
        assert not no_room.look(service(deployment), at_s, lambda: None)


ON_INSTANCES: dict[str, Any] = {"launchType": "EC2", **at_least(100)}
NEVER = "it needs 9000 MiB of memory, and no container instance has more than 4000"


def test_what_no_instance_could_ever_run_ends_at_the_first_look() -> None:
    """If no instance is large enough, the wait ends at the first look, and the reason says how much is needed."""
    no_room = NoRoom()
    assert no_room.look(service(NEW, OLD), 0.0, lambda: ON_INSTANCES, lambda: NEVER)
    assert (
        no_room.reason == f"{SAYS} It needs 9000 MiB of memory, and no container instance has more than 4000."
    )


@pytest.mark.parametrize(
    ("says", "settings", "never"),
    [
        (SAYS, {"capacityProviderStrategy": [{"capacityProvider": "growing"}]}, NEVER),
        (SAYS, None, NEVER),
        (
            "(service web) was unable to place a task. Reason: Capacity is unavailable at this time.",
            {},
            NEVER,
        ),
        (SAYS, ON_INSTANCES, ""),
    ],
    ids=["a capacity provider that may add larger ones", "not known how", "Fargate", "one that is only full"],
)
def test_what_may_get_room_is_waited_for(says: str, settings: dict[str, Any] | None, never: str) -> None:
    """A place that may become free is waited for: new instances, Fargate capacity, other copies that stop."""
    no_room, full = NoRoom(), replace(NEW, events=(says,))
    assert not no_room.look(service(full, OLD), 0.0, lambda: settings, lambda: never)
    assert not no_room.look(service(full, OLD), SHORT_PATIENCE_S - 1, lambda: settings, lambda: never)


def test_an_event_that_ecs_does_not_repeat_counts_where_nothing_came_of_the_deployment() -> None:
    """If ECS does not repeat an event of the old deployment, it counts for a new deployment without progress."""
    fresh, before = replace(NEW, events=()), replace(OLD, events=("(service web) has started.", SAYS))
    no_room = NoRoom()
    looks = [
        no_room.look(service(fresh, before), s, lambda: at_least(100))
        for s in (0.0, PATIENCE_S - 1, PATIENCE_S)
    ]
    assert looks == [False, False, True]
    assert no_room.reason.startswith(f"{SAYS} (It said so before this deployment")


@pytest.mark.parametrize(
    ("new", "old"),
    [
        ({"pending_count": 1}, {}),
        ({"desired_count": 0}, {}),
        ({"stage": "PRE_SCALE_UP"}, {}),
        ({"events": ("(service web) has started 1 tasks: (task a).",)}, {}),
        ({}, {"events": (SAYS, "(service web) has reached a steady state.")}),
    ],
    ids=["a copy is pending", "none is wanted", "not its turn yet", "it has news", "that was resolved"],
)
def test_an_older_event_is_no_news_otherwise(new: dict[str, Any], old: dict[str, Any]) -> None:
    """An older event does not count if the deployment makes progress or waits, or the scheduler said something since."""
    fresh = replace(NEW, **{"events": (), **new})
    before = replace(OLD, **{"events": (SAYS,), **old})
    no_room = NoRoom()
    assert not any(no_room.look(service(fresh, before), s, lambda: None) for s in (0.0, 2 * PATIENCE_S))
