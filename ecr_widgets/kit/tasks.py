"""The kit's step for tasks: run a deploy once."""

from __future__ import annotations

from functools import partial

from ecr_widgets.errors import DeploymentFailed, EcrWidgetsError
from ecr_widgets.kit.bound import Bound, raising
from ecr_widgets.model.record import StepRecord, StepState
from ecr_widgets.recording.earlier import KNOWN_JOBS, EarlierCall
from ecr_widgets.steps.create_deploy import DeployOutcome
from ecr_widgets.steps.create_task import EarlierTask, EnvVars, TaskOutcome, create_task, jobs_alike


class TaskSteps(Bound):
    """The part of the kit that runs tasks; each call leaves its record."""

    def create_task(
        self,
        environment: str,
        task: str,
        deploy: DeployOutcome | str,
        *,
        env_vars: EnvVars | None = None,
        wait: bool = True,
        timeout_s: float = 3600.0,
    ) -> TaskOutcome:
        """Run the deploy once; the containers' exit codes decide.

        In a run that is gone on with, a task that an earlier attempt started is waited for, or found to have succeeded; one
        that failed is run once more.
        """
        deploy_id = deploy if isinstance(deploy, str) else deploy.deploy_id
        names = {container: sorted(values) for container, values in (env_vars or {}).items()}
        # Values of environment variables may be secrets; their names tell enough.
        inputs: dict[str, object] = {
            "environment": environment,
            "task": task,
            "deploy_id": deploy_id,
            "env_vars": names,
            "wait": wait,
        }
        call = self._recorder.earlier.next_call("create_task", inputs)
        if call is not None and call.record.state is StepState.SUCCEEDED:
            done = call.record
            return self._recorder.perform("create_task", inputs, lambda _: _task_of(done))
        earlier = _open_task(call)
        try:
            jobs = jobs_alike(self._to.layer0, environment, task, deploy_id, env_vars)
        except EcrWidgetsError as error:
            return self._recorder.perform("create_task", inputs, partial(raising, error))
        # What is still looked for came after what its own attempt knew.
        known = jobs if earlier is None else earlier.known_jobs
        inputs |= {KNOWN_JOBS: sorted(known)} if known else {}
        return self._recorder.perform(
            "create_task",
            inputs,
            lambda progress: create_task(
                self._to.layer0,
                self._to.clock,
                environment,
                task,
                deploy_id,
                env_vars=env_vars,
                wait=wait,
                timeout_s=timeout_s,
                known_jobs=jobs,
                earlier=earlier,
                progress=progress,
            ),
        )


def _open_task(call: EarlierCall | None) -> EarlierTask | None:
    """What to look for where a call's end is not known: neither that nothing was started nor that all of it ended."""
    if call is None or (call.record.error or {}).get("type") == DeploymentFailed.__name__:
        return None
    return EarlierTask(
        call.record.started_at,
        call.record.inputs.get(KNOWN_JOBS, ()),
        None if call.next_alike is None else call.next_alike.inputs.get(KNOWN_JOBS, ()),
    )


def _task_of(record: StepRecord) -> TaskOutcome:
    """The task that an earlier attempt saw succeed."""
    told = record.outcome
    return TaskOutcome(
        told["task_id"],
        told["task"],
        told["environment"],
        told["deploy_id"],
        told["exit_codes"],
        tuple(told["log"]),
        changed=False,
        reconciled=told["reconciled"],
    )
