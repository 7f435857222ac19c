"""When a wait gives up on containers that stop again and again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ecr_widgets.model.services import Deployment, Service
from ecr_widgets.steps.shared.crash_loop import CrashLoop

AT = datetime(2026, 11, 23, tzinfo=UTC)


def service(*reasons: str) -> Service:
    """A service on `web.2` of whose containers so many have stopped."""
    deployment = Deployment("d", "web.2", "PRIMARY", 1, 0, 1, AT, (), reasons)
    return Service("s", "web", "e", 1, 0, 1, (deployment,))


def test_what_stopped_before_the_first_look_does_not_count() -> None:
    """It may be of an older trouble that is over; three more are too many."""
    crashes = CrashLoop("web.2")
    for stopped, hopeless in ((5, False), (7, False), (8, True)):
        crashes.look(service(*("Exited (1)",) * stopped))
        assert crashes.is_hopeless is hopeless


def test_all_that_stopped_of_a_young_deployment_counts() -> None:
    """It may have failed twice before anybody looked."""
    crashes = CrashLoop("web.2")
    for stopped, hopeless in ((2, False), (3, True)):
        crashes.look(service(*("Exited (1)",) * stopped), is_young=True)
        assert crashes.is_hopeless is hopeless


def test_a_container_that_stopped_between_two_looks_is_noticed() -> None:
    """However well the service runs at the second; the first look has nothing to compare with."""
    crashes = CrashLoop("web.2")
    grown = []
    for stopped in (1, 1, 2, 2):
        crashes.look(service(*("Exited (1)",) * stopped))
        grown.append(crashes.has_grown)
    assert grown == [False, False, True, False]


@pytest.mark.parametrize(
    "reason", ["CannotPullContainerError: no such image", "ResourceInitializationError: secret"]
)
def test_what_no_retry_fixes_is_hopeless_at_once(reason: str) -> None:
    """A missing image does not appear by waiting."""
    crashes = CrashLoop("web.2")
    crashes.look(service(reason))
    assert crashes.is_hopeless


def test_each_reason_is_reported_once_with_its_count() -> None:
    """Twenty-four times the same line says no more than once."""
    crashes = CrashLoop("web.2")
    crashes.look(service("OutOfMemory", *("(1)",) * 3))
    assert crashes.counted_reasons == ("OutOfMemory", "container stopped (1) (3 times)")
