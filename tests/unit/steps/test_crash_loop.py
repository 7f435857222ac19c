"""When a wait gives up on containers that keep stopping."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ecr_widgets.model.services import Deployment, Service
from ecr_widgets.steps.shared.crash_loop import CrashLoop

AT = datetime(2026, 11, 23, tzinfo=UTC)


def service(*reasons: str) -> Service:
    """A service on `web.2` with stopped containers for the given reasons."""
    deployment = Deployment("d", "web.2", "PRIMARY", 1, 0, 1, AT, (), reasons)
    return Service("s", "web", "e", 1, 0, 1, (deployment,))


def test_what_stopped_before_the_first_look_does_not_count() -> None:
    """Containers that had stopped before the first look do not count; three more are too many."""
    crashes = CrashLoop("web.2")
    for stopped, hopeless in ((5, False), (7, False), (8, True)):
        crashes.look(service(*("Exited (1)",) * stopped))
        assert crashes.is_hopeless is hopeless


def test_all_that_stopped_of_a_young_deployment_counts() -> None:
    """For a young deployment, containers that had stopped before the first look count too."""
    crashes = CrashLoop("web.2")
    for stopped, hopeless in ((2, False), (3, True)):
        crashes.look(service(*("Exited (1)",) * stopped), is_young=True)
        assert crashes.is_hopeless is hopeless


def test_a_container_that_stopped_between_two_looks_is_noticed() -> None:
    """A stop between two looks is noticed, but not at the first look."""
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
    """A reason that no retry can fix, such as a missing image, is hopeless at the first look."""
    crashes = CrashLoop("web.2")
    crashes.look(service(reason))
    assert crashes.is_hopeless


def test_each_reason_is_reported_once_with_its_count() -> None:
    """Each reason is reported once, with its count."""
    crashes = CrashLoop("web.2")
    crashes.look(service("OutOfMemory", *("(1)",) * 3))
    assert crashes.counted_reasons == ("OutOfMemory", "container stopped (1) (3 times)")
