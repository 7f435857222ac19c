"""Waiting for Layer0's jobs."""

from __future__ import annotations

import pytest

from ecr_widgets.errors import DeploymentFailed, OutcomeUnknown, WaitTimeout
from ecr_widgets.model.layer0 import Job, JobState
from ecr_widgets.model.services import ContainerLog
from ecr_widgets.steps.shared.layer0_jobs import wait_for_job
from tests.fakes import FakeLayer0, World
from tests.fakes.connections import FakeConnections


def test_a_job_that_fails_is_shown_with_its_log(to: FakeConnections, world: World) -> None:
    """A failed job's error shows the last line of its log, and all lines as reasons."""

    class Talking(FakeLayer0):
        def task_logs(self, task_id: str, **more):
            return (ContainerLog("l0-job", ("Running step 'x'", "no room (code 'X')")),)

    talking = Talking(world)
    job_id = talking.ended("web", failed=True)
    with pytest.raises(
        DeploymentFailed, match=r"deletion failed: job \S+ ended in error: no room \(code 'X'\); "
    ) as failed:
        wait_for_job(talking, to.clock, job_id, what="deletion")
    assert failed.value.reasons == ("Running step 'x'", "no room (code 'X')")


def test_a_job_that_never_ends_is_waited_for_until_the_deadline(to: FakeConnections) -> None:
    """A job that does not end is waited for until the deadline; a job that Layer0 forgets has an unknown outcome."""
    to.layer0.jobs["j"] = Job("j", JobState.IN_PROGRESS)
    with pytest.raises(WaitTimeout, match="is in progress") as late:
        wait_for_job(to.layer0, to.clock, "j", what="deletion", timeout_s=60)
    assert 60 <= late.value.waited_s < 70
    del to.layer0.jobs["j"]
    with pytest.raises(OutcomeUnknown, match="no longer reports job j"):
        wait_for_job(to.layer0, to.clock, "j", what="deletion")
