"""Wait for what Layer0 does in the background; if it fails, its own log says why."""

from __future__ import annotations

from ecr_widgets.errors import DeploymentFailed, EntityNotFound, OutcomeUnknown, WaitTimeout
from ecr_widgets.model.layer0 import Job, JobState
from ecr_widgets.ports import Clock, Layer0
from ecr_widgets.steps.shared.polling import SHOWS_AFTER_S, pauses, read_in_wait


def wait_for_job(
    layer0: Layer0,
    clock: Clock,
    job_id: str,
    *,
    what: str,
    timeout_s: float = 900.0,
) -> Job:
    """Wait until a job has done its work.

    Args:
        what: What it does, for messages: `deletion of service 'web'`.

        timeout_s: Longest wait, in seconds.

    Raises:
        DeploymentFailed: It ended in error; `reasons` has the end of its log, whose last line is in the message, too.

        WaitTimeout: The deadline came first; the job continues.

        OutcomeUnknown: Layer0 no longer reports the job.
    """
    started_s = clock.monotonic_s()
    for pause_s in pauses():
        try:
            job = read_in_wait(
                clock,
                lambda: layer0.read_job(job_id),
                deadline_s=started_s + timeout_s,
                missing_until_s=started_s + SHOWS_AFTER_S,
            )
        except EntityNotFound as error:
            raise OutcomeUnknown(
                f"Layer0 no longer reports job {job_id} ({what})", hint="check whether it was done"
            ) from error
        state = job.state.name.lower().replace("_", " ")
        if job.state is JobState.COMPLETED:
            return job
        if job.state is JobState.ERROR:
            log = layer0.job_log(job)
            raise DeploymentFailed(
                f"{what} failed: job {job_id} ended in error" + (f": {log[-1]}" if log else ""),
                reasons=log,
                hint="look at the reasons; list what it left behind, and delete it again",
            )
        waited_s = clock.monotonic_s() - started_s
        if waited_s >= timeout_s:
            raise WaitTimeout(
                f"{what} has not ended after {waited_s:.0f} s: job {job_id} is {state}",
                waited_s=waited_s,
                last_seen=state,
                hint="the job keeps running: check it later, or wait longer",
            )
        clock.sleep(pause_s)
    raise AssertionError  # the pauses never end
