"""Run a deploy once as a task and report how its containers ended."""

from __future__ import annotations

import json
import signal
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ecr_widgets.errors import DeploymentFailed, EntityNotFound, OutcomeUnknown, WaitTimeout
from ecr_widgets.model.layer0 import Job, JobState, Task, TaskContainer, check_entity_name
from ecr_widgets.ports import Clock, Layer0, Progress, ProgressSink, ignore_progress
from ecr_widgets.steps.deploy_service import find_environment
from ecr_widgets.steps.layer0_jobs import job_log
from ecr_widgets.steps.reconcile import reconcile
from ecr_widgets.steps.wait import FIRST_PAUSE_S, LONGEST_PAUSE_S, PAUSE_FACTOR

EnvVars = Mapping[str, Mapping[str, str]]
"""Values of environment variables by container name."""
_KILLED = "killed, for which the usual reason is memory: compare its limit in the Dockerrun"
JOBS_ARE_KEPT = timedelta(hours=1)
"""Then Layer0's janitor may drop the job of a task that was started."""


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
    reconciled: bool = False
    """Whether the reply was lost and the task found by looking."""


@dataclass(frozen=True, slots=True)
class EarlierTask:
    """What is known of a task that an earlier attempt asked for, without knowing what became of it."""

    asked_at: datetime
    known_jobs: Collection[str]
    """Jobs that had asked for the same before: none of them is its."""
    later_jobs: Collection[str] | None
    """Jobs that had asked for the same when the next such task was asked for: its is among them. None where none was."""


def jobs_alike(
    layer0: Layer0, environment: str, name: str, deploy_id: str, env_vars: EnvVars | None = None
) -> frozenset[str]:
    """Ids of the jobs that ask for just this task.

    Raises:
        EntityNotFound: No such environment.
    """
    check_entity_name(name, kind="task")
    found = find_environment(layer0, environment)
    wanted = (found.environment_id, name, deploy_id, _plain(env_vars or {}))
    return frozenset(job.job_id for job in layer0.list_jobs() if _asked(job) == wanted)


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
    known_jobs: frozenset[str] | None = None,
    earlier: EarlierTask | None = None,
    progress: ProgressSink = ignore_progress,
) -> TaskOutcome:
    """Run the deploy once; the task is done when its containers stopped, and their exit codes are the answer.

    Args:
        env_vars: Environment variables that override the deploy's, by container name.

        known_jobs: What `jobs_alike` gave a moment ago; None looks now.

        earlier: What an earlier attempt of this run asked for; where it was started, it is waited for and none is started.

        wait: Whether to wait for the end; else only until the task was started.

        timeout_s: Longest wait for start and end together, in seconds.

    Raises:
        EntityNotFound: No such environment.

        DeploymentFailed: The task could not be started, or a container ended with another code than 0.

        WaitTimeout: The deadline came first.

        OutcomeUnknown: The reply was lost and no such task showed up, or Layer0 no longer tells of it or its job, or which
            job is the earlier attempt's cannot be told.
    """
    check_entity_name(name, kind="task")
    found = find_environment(layer0, environment)
    before = (
        known_jobs if known_jobs is not None else jobs_alike(layer0, environment, name, deploy_id, env_vars)
    )

    def made() -> str | None:
        new = jobs_alike(layer0, environment, name, deploy_id, env_vars) - before
        # Of two alike, one is somebody else's.
        return next(iter(new)) if len(new) == 1 else None

    standing = _started_earlier(name, before, earlier, clock.now()) if earlier is not None else None
    if standing is not None:
        job_id, was_found = standing, True
    else:
        job_id, was_found = reconcile(
            clock, lambda: layer0.create_task(found.environment_id, name, deploy_id, env_vars or {}), made
        )
    is_new = standing is None
    deadline_s = clock.monotonic_s() + timeout_s
    task_id = _wait_for_start(layer0, clock, job_id, name, deadline_s, timeout_s)
    if not wait:
        return TaskOutcome(task_id, name, found.name, deploy_id, {}, (), is_new, was_found)
    task = _wait_for_end(layer0, clock, task_id, deadline_s, timeout_s, progress)
    log = tuple(f"{part.name}: {line}" for part in layer0.task_logs(task_id, tail=50) for line in part.lines)
    codes = {container.name: container.exit_code for container in task.containers}
    reasons = tuple(
        r for r in (task.reason, *(f"{c.name}: {c.reason}" for c in task.containers if c.reason)) if r
    )
    if not codes or any(code != 0 for code in codes.values()):
        ended = "; ".join(_ended(container, task) for container in task.containers)
        raise DeploymentFailed(
            f"task {name!r} ({task_id}) failed: {ended or task.reason or 'no container ran'}",
            reasons=reasons,
            log=log[-20:],
            hint="look at its log lines",
        )
    return TaskOutcome(
        task_id,
        name,
        found.name,
        deploy_id,
        {n: c for n, c in codes.items() if c is not None},
        log,
        is_new,
        was_found,
    )


def _ended(container: TaskContainer, task: Task) -> str:
    """How it ended, and why as far as anybody says."""
    code = container.exit_code
    why = container.reason or (task.reason if code is None else "")
    if not why and code == 128 + signal.SIGKILL:
        # Engines do not always notice that it was memory.
        why = _KILLED
    how = "never ran" if code is None else f"with code {code}"
    return f"{container.name} {how}" + f" ({why})" * bool(why)


def _started_earlier(name: str, jobs: frozenset[str], earlier: EarlierTask, now: datetime) -> str | None:
    """The job that an earlier attempt made; None where it made none."""
    found = jobs - frozenset(earlier.known_jobs)
    if earlier.later_jobs is not None:
        found &= frozenset(earlier.later_jobs)
    if len(found) > 1:
        raise OutcomeUnknown(
            f"{len(found)} jobs ask for task {name!r} just as this run did: which is its own cannot be told"
            f" ({', '.join(sorted(found))})",
            hint="look at each with `ecr-widgets job show`; start a new run where the task is to run once more",
        )
    if not found and now - earlier.asked_at >= JOBS_ARE_KEPT:
        raise OutcomeUnknown(
            f"an earlier attempt of this run asked for task {name!r}, and Layer0 has forgotten what became of it",
            hint="look at what the task was to do; start a new run where it is to run once more",
        )
    return next(iter(found), None)


def _asked(job: Job) -> tuple[str, str, str, EnvVars] | None:
    """What a task's job was asked for; None for other jobs."""
    try:
        request = json.loads(job.request)
        overrides = {
            each["container_name"]: dict(each["environment_overrides"])
            for each in request["container_overrides"] or ()
        }
        return request["environment_id"], request["task_name"], request["deploy_id"], overrides
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _plain(env_vars: EnvVars) -> EnvVars:
    return {container: dict(values) for container, values in env_vars.items()}


def _wait_for_start(
    layer0: Layer0, clock: Clock, job_id: str, name: str, deadline_s: float, timeout_s: float
) -> str:
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            job = layer0.read_job(job_id)
        except EntityNotFound as error:
            raise OutcomeUnknown(
                f"Layer0 no longer tells of job {job_id}, which was to start task {name!r}",
                hint="list the tasks to see whether it runs",
            ) from error
        if job.task_id is not None:
            return job.task_id
        if job.state in (JobState.ERROR, JobState.COMPLETED):
            log = job_log(layer0, job)
            raise DeploymentFailed(
                f"task {name!r} was not started: job {job_id} ended as {job.state.name.lower()}"
                + (f": {log[-1]}" if log else ""),
                reasons=log,
                hint=f"look at the whole log: `ecr-widgets job logs {job_id}`",
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
        try:
            task = layer0.read_task(task_id)
        except EntityNotFound as error:
            # Its janitor drops the tags of tasks that ended, and by them alone Layer0 finds a task.
            raise OutcomeUnknown(
                f"Layer0 no longer tells of task {task_id}: how it ended is not known",
                hint="look at what it was to do; its log may still be in CloudWatch",
            ) from error
        state = ", ".join(f"{c.name} {c.last_status.lower()}" for c in task.containers) or "pending"
        progress(Progress(task.name, state))
        # A container's exit code is 0 on the wire while it runs; only STOPPED makes it true.
        if task.is_stopped and all(c.last_status == "STOPPED" or c.reason for c in task.containers):
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
