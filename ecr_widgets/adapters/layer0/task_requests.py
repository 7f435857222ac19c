"""Tasks start through jobs: a job records what was requested, but not by whom."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ecr_widgets.adapters.layer0 import decode
from ecr_widgets.adapters.layer0.calls import Calls, segment
from ecr_widgets.errors import EcrWidgetsError, InputError
from ecr_widgets.model.layer0 import Job, JobState
from ecr_widgets.model.services import ContainerLog, Settings, TaskRequest

_SHOWN_LINES = 20
_MARKS = re.compile(
    r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[\w+\] [A-Z]+ : (?:Error: )?(?:AWS Error: )?", re.ASCII
)
"""Prefixes that Layer0's runner puts before each line and before errors."""

EnvVars = Mapping[str, Mapping[str, str]]


class TaskRequests(Calls):
    """Implements jobs and the start of tasks of `ports.Layer0`."""

    def task_requests(
        self, environment_id: str, name: str, deploy_id: str, env_vars: EnvVars, *, run_id: str
    ) -> frozenset[str]:
        wanted = (environment_id, name, deploy_id, {each: dict(values) for each, values in env_vars.items()})
        return frozenset(job.job_id for job in self.list_jobs() if _asked(job) == wanted)

    def start_task(
        self,
        environment_id: str,
        name: str,
        deploy_id: str,
        env_vars: EnvVars,
        *,
        run_id: str,
        token: str,
        settings: Settings | None = None,
    ) -> str:
        if settings is not None:
            raise InputError("Layer0 does not accept a service file", hint="leave service_file empty")
        # The server answers 202 to ids that do not exist and then retries for a day, so the deploy is looked up first.
        self._entity("/deploy/", deploy_id, "deploy_id")
        body: dict[str, Any] = {
            "container_overrides": [
                {"container_name": container, "environment_overrides": dict(values)}
                for container, values in env_vars.items()
            ],
            "deploy_id": deploy_id,
            "environment_id": environment_id,
            "task_name": name,
            # Servers before v0.10.4 expect a number of copies, and run none if it is missing.
            "copies": 1,
        }
        return self._job("POST", "/task/", body)

    def read_task_request(self, request_id: str) -> TaskRequest:
        job = self.read_job(request_id)
        is_over = job.state in (JobState.ERROR, JobState.COMPLETED)
        return TaskRequest(
            request_id,
            f"job {request_id}",
            job.state.name.lower().replace("_", " "),
            job.task_id,
            is_over,
            self.job_log(job) if is_over and job.task_id is None else (),
            f"look at the whole log: `ecr-widgets job logs {request_id}`",
        )

    def read_job(self, job_id: str) -> Job:
        return decode.job(self._entity("/job/", job_id, "job_id"))

    def list_jobs(self) -> tuple[Job, ...]:
        jobs = [decode.job(each) for each in decode.objects(self._transport.read("/job/").value)]
        return tuple(sorted(jobs, key=lambda each: each.job_id))

    def delete_job(self, job_id: str) -> None:
        self._transport.change("DELETE", f"/job/{segment(job_id)}", None)

    def job_log(self, job: Job) -> tuple[str, ...]:
        if not job.runner_task_id:
            return ()
        try:
            logs = self.task_logs(job.runner_task_id, tail=_SHOWN_LINES)
        except EcrWidgetsError:
            return ()
        return tuple(_MARKS.sub("", line) for log in logs for line in log.lines)

    def task_logs(
        self, task_id: str, *, tail: int = 0, start: datetime | None = None, end: datetime | None = None
    ) -> tuple[ContainerLog, ...]:
        return self._logs(f"/task/{segment(task_id)}/logs", tail, start, end)


def _asked(job: Job) -> tuple[str, str, str, EnvVars] | None:
    """The request of a task's job; None for other jobs."""
    try:
        request = json.loads(job.request)
        overrides = {
            each["container_name"]: dict(each["environment_overrides"])
            for each in request["container_overrides"] or ()
        }
        return request["environment_id"], request["task_name"], request["deploy_id"], overrides
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
