"""Run a deploy once as a task and report how its containers ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ecr_widgets.errors import DeploymentFailed, WaitTimeout
from ecr_widgets.model.layer0 import JobState, Task, check_entity_name
from ecr_widgets.ports import Clock, Layer0, Progress, ProgressSink, ignore_progress
from ecr_widgets.steps.deploy_service import find_environment
from ecr_widgets.steps.wait import FIRST_PAUSE_S, LONGEST_PAUSE_S, PAUSE_FACTOR

EnvVars = Mapping[str, Mapping[str, str]]
"""Values of environment variables by container name."""


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """The task; `exit_codes` is by container name, empty where the end was not waited for."""

    task_id: str
    task: str
    environment: str
    deploy_id: str
    exit_codes: Mapping[str, int]
    log: tuple[str, ...]
    changed: bool = True


def create_task(
    layer0: Layer0,
    clock: Clock,
    environment: str,
    name: str,
    deploy_id: str,
    *,
    env_vars: EnvVars | None = None,
    wait: bool = True,
    timeout_s: float = 3600.0,
    progress: ProgressSink = ignore_progress,
) -> TaskOutcome:
    """Run the deploy once; the task is done when its containers stopped, and their exit codes are the answer.

    Args:
        env_vars: Environment variables that override the deploy's, by container name.

        wait: Whether to wait for the end; else only until the task was started.

        timeout_s: Longest wait for start and end together, in seconds.

    Raises:
        EntityNotFound: No such environment.

        DeploymentFailed: The task could not be started, or a container ended with another code than 0.

        WaitTimeout: The deadline came first.
    """
    check_entity_name(name, kind="task")
    found = find_environment(layer0, environment)
    job_id = layer0.create_task(found.environment_id, name, deploy_id, env_vars or {})
    deadline_s = clock.monotonic_s() + timeout_s
    task_id = _wait_for_start(layer0, clock, job_id, name, deadline_s, timeout_s)
    if not wait:
        return TaskOutcome(task_id, name, found.name, deploy_id, {}, ())
    task = _wait_for_end(layer0, clock, task_id, deadline_s, timeout_s, progress)
    log = tuple(f"{part.name}: {line}" for part in layer0.task_logs(task_id, tail=50) for line in part.lines)
    codes = {container.name: container.exit_code for container in task.containers}
    reasons = tuple(
        r for r in (task.reason, *(f"{c.name}: {c.reason}" for c in task.containers if c.reason)) if r
    )
    if not codes or any(code != 0 for code in codes.values()):
        ended = ", ".join(
            f"{n} with code {c}" if c is not None else f"{n} never ran" for n, c in codes.items()
        )
        raise DeploymentFailed(
            f"task {name!r} ({task_id}) failed: {ended or task.reason or 'no container ran'}",
            reasons=(*reasons, *log[-20:]),
            hint="look at its log lines",
        )
    return TaskOutcome(
        task_id, name, found.name, deploy_id, {n: c for n, c in codes.items() if c is not None}, log
    )


def _wait_for_start(
    layer0: Layer0, clock: Clock, job_id: str, name: str, deadline_s: float, timeout_s: float
) -> str:
    pause_s = FIRST_PAUSE_S
    while True:
        job = layer0.read_job(job_id)
        if job.task_id is not None:
            return job.task_id
        if job.state in (JobState.ERROR, JobState.COMPLETED):
            raise DeploymentFailed(
                f"task {name!r} was not started: job {job_id} ended as {job.state.name.lower()}",
                hint="look at the job's log with `l0 job logs`",
            )
        if clock.monotonic_s() >= deadline_s:
            raise WaitTimeout(
                f"task {name!r} was not started within {timeout_s:.0f} s: job {job_id} is still at work",
                waited_s=timeout_s,
                last_seen=job.state.name.lower(),
                hint="the environment may have no room, or the deploy is gone",
            )
        clock.sleep(pause_s)
        pause_s = min(pause_s * PAUSE_FACTOR, LONGEST_PAUSE_S)


def _wait_for_end(
    layer0: Layer0, clock: Clock, task_id: str, deadline_s: float, timeout_s: float, progress: ProgressSink
) -> Task:
    pause_s = FIRST_PAUSE_S
    while True:
        task = layer0.read_task(task_id)
        state = ", ".join(f"{c.name} {c.last_status.lower()}" for c in task.containers) or "pending"
        progress(Progress(task.name, state))
        # A container's exit code is 0 on the wire while it runs; only STOPPED makes it true.
        if task.is_stopped and all(c.exit_code is not None or c.reason for c in task.containers):
            return task
        if clock.monotonic_s() >= deadline_s:
            raise WaitTimeout(
                f"task {task.name!r} ({task_id}) has not ended after {timeout_s:.0f} s: {state}",
                waited_s=timeout_s,
                last_seen=state,
                hint="it goes on running: look at it later, or delete it",
            )
        clock.sleep(pause_s)
        pause_s = min(pause_s * PAUSE_FACTOR, LONGEST_PAUSE_S)
