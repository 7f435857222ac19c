"""Layer0's entities as values."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ecr_widgets.errors import InputError
from ecr_widgets.model.layer0 import Job, JobState, check_deploy_name, check_entity_name
from ecr_widgets.model.services import Deployment, Service, Task

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def deployment(status: str, deploy_id: str) -> Deployment:
    return Deployment(f"ecs-svc/{deploy_id}", deploy_id, status, 1, 0, 0, NOW)


def test_the_primary_deployment_is_found_wherever_it_stands() -> None:
    """A service's primary deployment is the one with that status, whatever its position."""
    service = Service("s", "s", "e", 1, 0, 0, (deployment("ACTIVE", "a.1"), deployment("PRIMARY", "a.2")))
    assert service.primary is not None
    assert service.primary.deploy_id == "a.2"


def test_a_service_may_have_no_primary_deployment() -> None:
    """A service without deployments has no primary one."""
    assert Service("s", "s", "e", 0, 0, 0).primary is None


@pytest.mark.parametrize(("running", "pending", "stopped"), [(0, 0, True), (1, 0, False), (0, 1, False)])
def test_a_task_is_stopped_when_nothing_runs_or_waits(running: int, pending: int, *, stopped: bool) -> None:
    """A task is stopped if no copy of it is running or pending."""
    assert Task("t", "t", "e", "a.1", running, pending, "", ()).is_stopped is stopped


@pytest.mark.parametrize(
    ("meta", "task_id"),
    [
        ((), None),
        ((("task_id", "t1"),), "t1"),
        ((("task_0", "t0"), ("task_1", "t1")), "t0"),
        ((("task_id", ""),), None),
        ((("other", "x"),), None),
    ],
)
def test_a_job_tells_its_task(meta: tuple[tuple[str, str], ...], task_id: str | None) -> None:
    """A job's task id is in `task_id`, or in `task_0` for releases before 0.10.4."""
    assert Job("j", JobState.COMPLETED, meta).task_id == task_id


def test_job_states_are_the_wires_numbers() -> None:
    """Job states have Layer0's numbers 1 to 4."""
    assert [JobState(number).name for number in (1, 2, 3, 4)] == [
        "PENDING",
        "IN_PROGRESS",
        "COMPLETED",
        "ERROR",
    ]


@pytest.mark.parametrize("name", ["timeout", "a", "A-b_9", "x" * 200])
def test_a_deploy_name_is_given_back(name: str) -> None:
    """A deploy name of up to 200 letters, digits, hyphens and underscores is returned unchanged."""
    assert check_deploy_name(name) == name


@pytest.mark.parametrize("name", ["", "a.b", "a:b", "a b", "a/b", "ä", "a\n", "\u0661", "x" * 201])
def test_a_deploy_name_that_ecs_refuses_is_refused(name: str) -> None:
    """A deploy name with other characters, or a longer one, is refused."""
    with pytest.raises(InputError, match="letters, digits, - and _ only"):
        check_deploy_name(name)


@pytest.mark.parametrize("name", ["demo", "a b", "Übung", "a.b", "timeout-1"])
def test_an_entity_name_is_given_back(name: str) -> None:
    """An entity's name may be any text without separators, wildcards or control characters, and is returned unchanged."""
    assert check_entity_name(name, kind="service") == name


@pytest.mark.parametrize(
    "name", ["", " ", " a", "a ", "a:b", "a*", "a/b", "a\\b", "a\nb", "a\x1b[31m", "\u202ea", "\ud800"]
)
def test_an_entity_name_that_cannot_be_said_again_is_refused(name: str) -> None:
    """An entity name with separators, wildcards, control characters or outer spaces is refused with its kind, escaped."""
    with pytest.raises(InputError, match=r"service name .* refused") as caught:
        check_entity_name(name, kind="service")
    assert str(caught.value).isprintable()
