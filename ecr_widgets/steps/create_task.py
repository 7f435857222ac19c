"""Run a deploy once as a task and report how its containers ended."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from ecr_widgets.dockerrun.service_file import for_a_task
from ecr_widgets.errors import DeploymentFailed, EntityNotFound, OutcomeUnknown, WaitTimeout
from ecr_widgets.model.names import check_name
from ecr_widgets.model.record import KNOWN_REQUESTS, START_ID, StepRecord, StepState
from ecr_widgets.model.services import Place, Settings, Task, TaskContainer
from ecr_widgets.ports import Clock, Progress, ProgressSink
from ecr_widgets.ports.services import Services
from ecr_widgets.steps.check_evidence import CheckEvidence
from ecr_widgets.steps.create_deploy import DeployOutcome, image_planned
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.polling import SHOWS_AFTER_S, pauses, read_in_wait
from ecr_widgets.steps.shared.reconcile import reconcile
from ecr_widgets.steps.shared.service_lookup import find_environment
from ecr_widgets.steps.shared.task_start import (
    EarlierStart,
    EnvVars,
    new_start_id,
    started_earlier,
    wait_for_start,
)
from ecr_widgets.steps.step import NOT_YET, Step, if_given, unrecorded

_ENDED = "Essential container"
_KILLED = "killed, for which the usual reason is memory: compare its limit in the Dockerrun"


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """The task; `exit_codes` has its essential containers by name, and is empty if the end was not waited for."""

    task_id: str
    task: str
    environment: str
    deploy_id: str
    exit_codes: Mapping[str, int]
    log: tuple[str, ...]
    changed: bool = True
    reconciled: bool = False
    """Whether the reply was lost and the task found by looking."""
    side_car_codes: Mapping[str, int] = field(default_factory=dict)
    """Exit codes of the containers that are not essential."""


@dataclass(frozen=True, slots=True)
class FoundTask:
    """What is known about the task before it is started."""

    environment: Place
    requests: frozenset[str]
    """Ids of existing requests for the same task."""
    known_requests: tuple[str, ...]
    """Those that an earlier attempt already knew, or else all of them."""
    start_id: str
    """An id by which the target can recognise a repeated request."""
    earlier: EarlierStart | None
    """What an earlier attempt of this run requested; if that was started, it is waited for and no other is started."""
    settings: Settings | None = None
    """What the service file says about tasks."""
    settings_sha256: str = ""
    done: StepRecord | None = None
    """The record of an earlier attempt that saw the task succeed."""


@dataclass(frozen=True)
class CreateTask(Step[FoundTask, TaskOutcome]):
    """Run the deploy once; the task is done when its containers have stopped, and their exit codes decide.

    In a resumed run, a task that an earlier attempt started is waited for, or found to have succeeded; a failed one is run
    once more.

    Args:
        env_vars: Environment variables that override the deploy's, by container name.

        service_file: JSON file in CreateService's form, for a task on ECS: its network and the like.

        wait: Whether to wait for the end; otherwise only until the task has started.

        timeout_s: Longest wait for start and end together, in seconds.

    Raises:
        EntityNotFound: No such environment.

        DeploymentFailed: The task could not be started, or an essential container ended with another code than 0.

        WaitTimeout: The deadline came first.

        OutcomeUnknown: The reply was lost and no such task showed up, or it is no longer reported, or it is not known which
            request is the earlier attempt's.
    """

    asks: ClassVar = ("start_task",)
    notes: ClassVar = (KNOWN_REQUESTS, START_ID)

    environment: str
    task: str
    deploy: DeployOutcome | str
    _: KW_ONLY
    env_vars: EnvVars | None = None
    wait: bool = True
    service_file: str | Path | None = if_given(None)
    timeout_s: float = unrecorded(3600.0)

    @property
    def deploy_id(self) -> str:
        return self.deploy if isinstance(self.deploy, str) else self.deploy.deploy_id

    def inputs(self, outside: Outside) -> dict[str, Any]:
        return {
            "environment": self.environment,
            "task": self.task,
            "deploy_id": self.deploy_id,
            # Values of environment variables may be secrets; their names are enough.
            "env_vars": {container: sorted(values) for container, values in (self.env_vars or {}).items()},
            "wait": self.wait,
            **({"service_file": str(self.service_file)} if self.service_file else {}),
        }

    def gated(self, outside: Outside) -> CheckEvidence:
        return CheckEvidence(self.environment, image=image_planned(self.deploy), deploy_id=self.deploy_id)

    def look(self, outside: Outside, progress: ProgressSink) -> FoundTask:
        check_name(outside.services_of(self.environment).dialect(), self.task, "task")
        call = outside.earlier.next_call(self.step, self.inputs(outside))
        place = find_environment(outside.services_of(self.environment), self.environment)
        if call is not None and call.record.state is StepState.SUCCEEDED:
            return FoundTask(place, frozenset(), (), "", None, done=call.record)
        settings, sha256 = outside.files.read_settings(self.service_file)
        settings = for_a_task(settings) if settings is not None else None
        requests = self._requests(outside, place)
        earlier = EarlierStart.of(call)
        if earlier is None:
            known = tuple(sorted(requests))
            return FoundTask(place, requests, known, new_start_id(), None, settings, sha256)
        # The request that is still looked for was made after those that its own attempt knew.
        known = tuple(sorted(earlier.known_requests))
        return FoundTask(place, requests, known, earlier.start_id, earlier, settings, sha256)

    def _requests(self, outside: Outside, place: Place) -> frozenset[str]:
        return outside.services_of(self.environment).task_requests(
            place.environment_id, self.task, self.deploy_id, self.env_vars or {}, run_id=outside.run_id
        )

    def noted(self, found: FoundTask) -> dict[str, Any]:
        return {KNOWN_REQUESTS: found.known_requests, START_ID: found.start_id}

    def asked(self, outside: Outside, found: FoundTask) -> tuple[str, ...]:
        return outside.requests(self.environment, *self.asks)

    def plan(self, outside: Outside, found: FoundTask) -> TaskOutcome:
        return TaskOutcome(NOT_YET, self.task, found.environment.name, self.deploy_id, {}, ())

    def plan_record(self, outside: Outside, found: FoundTask, planned: TaskOutcome) -> Any:
        if not found.settings_sha256:
            return planned
        return {**dataclasses.asdict(planned), "service_file_sha256": found.settings_sha256}

    def act(self, outside: Outside, found: FoundTask, progress: ProgressSink) -> TaskOutcome:
        if found.done is not None:
            # The task that an earlier attempt recorded as succeeded.
            return msgspec.convert({**found.done.outcome, "changed": False}, TaskOutcome)
        services, clock = outside.services_of(self.environment), outside.clock
        deadline_s = clock.monotonic_s() + self.timeout_s
        request_id, is_new, was_found = self._start(outside, found)
        task_id = wait_for_start(services, clock, request_id, self.task, deadline_s, self.timeout_s)
        place = found.environment.name
        if not self.wait:
            return TaskOutcome(task_id, self.task, place, self.deploy_id, {}, (), is_new, was_found)
        task = _wait_for_end(services, clock, task_id, deadline_s, self.timeout_s, progress)
        logs = read_in_wait(clock, lambda: services.task_logs(task_id, tail=50), deadline_s=deadline_s)
        log = tuple(f"{part.name}: {line}" for part in logs for line in part.lines)
        self._check_end(task, log)
        codes, side_cars = _exit_codes(task, essential=True), _exit_codes(task, essential=False)
        return TaskOutcome(
            task_id, self.task, place, self.deploy_id, codes, log, is_new, was_found, side_cars
        )

    def _start(self, outside: Outside, found: FoundTask) -> tuple[str, bool, bool]:
        """The request for the task, whether this call made it, and whether it was found rather than reported."""
        if found.earlier is not None:
            earlier_id = started_earlier(self.task, found.requests, found.earlier, outside.clock.now())
            if earlier_id is not None:
                return earlier_id, False, True

        def made() -> str | None:
            new = self._requests(outside, found.environment) - found.requests
            # If there are two, one is somebody else's.
            return next(iter(new)) if len(new) == 1 else None

        def start() -> str:
            return outside.services_of(self.environment).start_task(
                found.environment.environment_id,
                self.task,
                self.deploy_id,
                self.env_vars or {},
                run_id=outside.run_id,
                token=found.start_id,
                settings=found.settings,
            )

        request_id: str
        request_id, was_found = reconcile(outside.clock, start, made)
        return request_id, True, was_found

    def _check_end(self, task: Task, log: tuple[str, ...]) -> None:
        reasons = (task.reason, *(f"{each.name}: {each.reason}" for each in task.containers if each.reason))
        # How a side-car ends after the others are gone says nothing about the task.
        decisive = [each.exit_code for each in task.containers if each.essential]
        if task.was_cut_short or not decisive or any(code != 0 for code in decisive):
            ended = "; ".join(_ended(container, task) for container in task.containers)
            if task.was_cut_short and task.reason not in ended:
                ended = ": ".join(filter(None, (task.reason, ended)))
            raise DeploymentFailed(
                f"task {self.task!r} ({task.task_id}) failed: {ended or task.reason or 'no container ran'}",
                reasons=tuple(filter(None, reasons)),
                log=log[-20:],
                hint="look at its log lines",
            )


def _exit_codes(task: Task, *, essential: bool) -> dict[str, int]:
    return {
        each.name: each.exit_code
        for each in task.containers
        if each.essential is essential and each.exit_code is not None
    }


def _ended(container: TaskContainer, task: Task) -> str:
    """How it ended, and why if that is reported."""
    code = container.exit_code
    # A reason that only says that a container ended is left out; one that says that somebody stopped the task is not.
    why = container.reason or (task.reason if code is None or (code and _ENDED not in task.reason) else "")
    if not why and code == 128 + signal.SIGKILL:
        # Engines do not always notice that it was memory.
        why = _KILLED
    how = "never ran" if code is None else f"with code {code}"
    return f"{container.name} {how}" + f" ({why})" * bool(why)


def _wait_for_end(
    services: Services,
    clock: Clock,
    task_id: str,
    deadline_s: float,
    timeout_s: float,
    progress: ProgressSink,
) -> Task:
    shows_at_s = clock.monotonic_s() + SHOWS_AFTER_S
    for pause_s in pauses():
        try:
            task = read_in_wait(
                clock,
                lambda: services.read_task(task_id),
                deadline_s=deadline_s,
                missing_until_s=shows_at_s,
                progress=progress,
            )
        except EntityNotFound as error:
            # Layer0's janitor drops the tags of tasks that ended, and Layer0 only finds a task by its tags.
            raise OutcomeUnknown(
                f"{services.dialect()} no longer reports task {task_id}: how it ended is not known",
                hint="check what it was meant to do; its log may still be in CloudWatch",
            ) from error
        state = ", ".join(f"{c.name} {c.last_status.lower()}" for c in task.containers) or "pending"
        progress(Progress(task.name, state))
        # A container's exit code is reported as 0 while it runs; it only counts once the status is STOPPED.
        if task.is_stopped and all(c.last_status == "STOPPED" or c.reason for c in task.containers):
            return task
        if clock.monotonic_s() >= deadline_s:
            raise WaitTimeout(
                f"task {task.name!r} ({task_id}) has not ended after {timeout_s:.0f} s: {state}",
                waited_s=timeout_s,
                last_seen=state,
                hint="it keeps running: check it later, or delete it",
            )
        clock.sleep(pause_s)
    raise AssertionError  # the pauses never end
