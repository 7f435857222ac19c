"""Waits go on while a deploy target does not answer, and what was just created may show up a little later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ecr_widgets.errors import DeployTargetError, EntityNotFound, Layer0Error, Layer0Unavailable
from ecr_widgets.model.layer0 import Job, JobState
from ecr_widgets.steps.create_task import CreateTask
from ecr_widgets.steps.shared.layer0_jobs import wait_for_job
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.polling import LONGEST_OUTAGE_S, SHOWS_AFTER_S
from ecr_widgets.steps.wait import Wait
from tests.fakes.connections import FakeConnections, perform
from tests.unit.steps.deployed import deployed

BUSY = Layer0Unavailable("a load balancer says 503", status=503, retryable=True)


def failing(to: FakeConnections, name: str, error: DeployTargetError, *, for_s: float) -> list[float]:
    """Have a call of Layer0 fail for so long from its first use; gives the times of its failures."""
    plain: Callable[..., Any] = getattr(to.layer0, name)
    failures: list[float] = []

    def fail(*args: Any, **more: Any) -> Any:
        now_s = to.clock.monotonic_s()
        if not failures or now_s - failures[0] < for_s:
            failures.append(now_s)
            raise error
        return plain(*args, **more)

    setattr(to.layer0, name, fail)
    return failures


@pytest.mark.parametrize("error", [BUSY, Layer0Error("unexpected error", status=500)])
def test_a_wait_goes_on_after_an_outage(
    outside: Outside, to: FakeConnections, error: DeployTargetError
) -> None:
    """A service is waited for while Layer0 does not answer for a while, and the wait then succeeds."""
    service = deployed(outside)
    failures = failing(to, "read_service", error, for_s=60)
    assert perform(Wait(service), outside).running_count == 1
    assert failures[-1] - failures[0] > 30


def test_an_outage_that_does_not_end_ends_the_wait(outside: Outside, to: FakeConnections) -> None:
    """If Layer0 stays away, the wait ends with what it answered; so does a wait that is shorter than the outage."""
    service = deployed(outside)
    for timeout_s, longest_s in ((600, LONGEST_OUTAGE_S), (30, 30)):
        failures = failing(to, "read_service", BUSY, for_s=10_000)
        with pytest.raises(Layer0Unavailable, match="503"):
            perform(Wait(service, timeout_s=timeout_s), outside)
        assert longest_s <= failures[-1] - failures[0] < longest_s + 10


def test_a_refusal_ends_a_wait_at_once(outside: Outside, to: FakeConnections) -> None:
    """What Layer0 refuses is not asked again."""
    service = deployed(outside)
    failures = failing(to, "read_service", Layer0Error("bad id", status=400), for_s=10_000)
    with pytest.raises(Layer0Error, match="bad id"):
        perform(Wait(service), outside)
    assert len(failures) == 1


def test_a_service_that_was_just_created_may_show_up_later(outside: Outside, to: FakeConnections) -> None:
    """A service that is not there at first is waited for; one that stays away, or goes away later, is not."""
    service = deployed(outside)
    missing = EntityNotFound("no service", status=404)
    failing(to, "read_service", missing, for_s=SHOWS_AFTER_S - 10)
    assert perform(Wait(service), outside).running_count == 1
    failures = failing(to, "read_service", missing, for_s=10_000)
    with pytest.raises(EntityNotFound):
        perform(Wait(service), outside)
    assert failures[-1] - failures[0] < SHOWS_AFTER_S + 10


@pytest.mark.parametrize("call", ["read_task_request", "read_task", "task_logs"])
def test_a_task_is_followed_through_an_outage(outside: Outside, to: FakeConnections, call: str) -> None:
    """A task is started once and followed to its end although Layer0 does not answer in between."""
    failing(to, call, BUSY, for_s=60)
    outcome = perform(CreateTask("demo", "once", "timeout.1"), outside)
    assert outcome.exit_codes == {"timeout": 0}


@pytest.mark.parametrize("call", ["read_task_request", "read_task"])
def test_a_task_that_was_just_started_may_show_up_later(
    outside: Outside, to: FakeConnections, call: str
) -> None:
    """A task and the job that starts it are waited for although Layer0 does not report them at first."""
    failing(to, call, EntityNotFound("none", status=404), for_s=5)
    outcome = perform(CreateTask("demo", "once", "timeout.1"), outside)
    assert outcome.exit_codes == {"timeout": 0}


def test_a_job_is_followed_through_an_outage(to: FakeConnections) -> None:
    """A job of Layer0 is waited for although Layer0 does not answer in between."""
    to.layer0.jobs["j"] = Job("j", JobState.COMPLETED)
    failing(to, "read_job", BUSY, for_s=60)
    assert wait_for_job(to.layer0, to.clock, "j", what="deletion").state is JobState.COMPLETED
