"""What a rolling deployment does next, by its percentages."""

from __future__ import annotations

from typing import Any

import pytest

from ecr_widgets.sandbox.workloads.records import Container, Copy, Deployment, Service, Status
from ecr_widgets.sandbox.workloads.rolling import Move, next_move

OLD, NEW = Deployment("one", "old"), Deployment("two", "new")


def copies(deployment: Deployment, count: int, status: Status = Status.RUNNING, **more: Any) -> list[Copy]:
    return [
        Copy(
            deployment.definition_id,
            [Container("a", essential=True, status=status)],
            deployment.deployment_id,
            **more,
        )
        for _ in range(count)
    ]


def move(of: list[Copy], *, wanted: int, least: int = 100, most: int | None = 200, **more: Any) -> Move:
    """The next move of a service whose running copies are all ready."""
    primary = Deployment("two", "new", **more)
    service = Service(
        service_id="s",
        desired_count=wanted,
        deployments=[primary, OLD],
        copies=of,
        least_percent=least,
        most_percent=most,
    )
    return next_move(service, {each.copy_id for each in of if each.status == Status.RUNNING})


@pytest.mark.parametrize(
    ("wanted", "least", "most", "starts", "stops"),
    [
        (4, 100, 200, 4, 0),
        (4, 100, 150, 2, 0),
        (4, 50, 100, 0, 2),
        (4, 0, 100, 0, 4),
        (4, 75, 125, 1, 1),
        (1, 100, 150, 0, 0),
        (1, 0, 100, 0, 1),
        (3, 50, 100, 0, 1),
        (4, 100, None, 4, 0),
    ],
)
def test_the_first_move_keeps_to_the_percentages(
    wanted: int, least: int, most: int | None, starts: int, stops: int
) -> None:
    """Least is rounded up and most down, as ECS does."""
    first = move(copies(OLD, wanted), wanted=wanted, least=least, most=most)
    assert (first.start, len(first.old)) == (starts, stops)


def test_percentages_that_allow_nothing_are_noticed() -> None:
    """One copy, 100 and 150: neither may one start nor the old one stop."""
    assert move(copies(OLD, 1), wanted=1, most=150).is_stuck
    assert not move(copies(OLD, 1), wanted=1, most=200).is_stuck


def test_old_copies_stay_until_all_new_ones_are_ready() -> None:
    """Then they go at once, and then it is over."""
    assert move(copies(OLD, 2) + copies(NEW, 2, Status.PENDING), wanted=2) == Move()
    old = copies(OLD, 2)
    assert move(old + copies(NEW, 2), wanted=2).old == old
    assert move(copies(NEW, 2), wanted=2).is_over


def test_old_copies_that_are_not_ready_make_room_first() -> None:
    """They count for nothing, so that the ready ones can stay."""
    broken = copies(OLD, 1, Status.PENDING)
    assert move(copies(OLD, 1) + broken, wanted=2, least=50, most=100).old[0] in broken


def test_copies_that_are_still_stopping_take_room() -> None:
    """Until they have stopped there are not more than the percentage."""
    going = copies(OLD, 2, stopping=True)
    assert move(going, wanted=2, least=0, most=100).start == 0
    for each in going:
        each.stopped_at_s = 1.0
    assert move(going, wanted=2, least=0, most=100).start == 2


def test_a_deployment_that_was_given_up_starts_and_stops_nothing() -> None:
    """What runs stays."""
    assert move(copies(OLD, 1), wanted=1, given_up=True) == Move()


def test_copies_that_are_too_many_go() -> None:
    """Of the primary deployment, the newest."""
    running = copies(NEW, 3)
    assert move(running, wanted=1).surplus == running[1:]


def test_a_deployment_may_have_to_wait_with_each_half() -> None:
    """Nothing starts before it may; nothing old goes before it may."""
    assert move(copies(OLD, 1), wanted=1, may_start=False, may_replace=False) == Move()
    assert move(copies(OLD, 1), wanted=1, may_replace=False).start == 1
    assert move(copies(OLD, 1) + copies(NEW, 1), wanted=1, may_replace=False) == Move()
