"""The state that all calls work on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from ecr_widgets.sandbox.layer0.api_errors import ApiError, Code
from ecr_widgets.sandbox.layer0.entities import (
    Deploy,
    Environment,
    Job,
    JobStatus,
    JobType,
    LoadBalancer,
    Service,
    Task,
)
from ecr_widgets.sandbox.layer0.identifiers import entity_id, task_arn
from ecr_widgets.sandbox.layer0.store import Store
from ecr_widgets.sandbox.layer0.wire import Shapes
from ecr_widgets.sandbox.workloads.balancers import Balancers
from ecr_widgets.sandbox.workloads.containers import Containers
from ecr_widgets.sandbox.workloads.records import Container, Copy, Status
from ecr_widgets.sandbox.workloads.scheduler import Scheduler

Wire = dict[str, Any]
Entity = TypeVar("Entity")
API = "api"
"""Id and name of Layer0's own environment, service and load balancer."""

_WORDS = {
    JobType.DELETE_ENVIRONMENT: "Delete Environment",
    JobType.DELETE_SERVICE: "Delete Service",
    JobType.DELETE_LOAD_BALANCER: "Delete Load Balancer",
    JobType.CREATE_TASK: "Create Task",
}
"""The step of each kind of job; the job's id begins with these words."""


@dataclass
class World:
    """One Layer0."""

    store: Store
    scheduler: Scheduler
    containers: Containers
    balancers: Balancers
    shapes: Shapes
    version: str

    def environment(self, environment_id: str) -> Environment:
        """An existing environment.

        Raises:
            ApiError: No such environment.
        """
        text = f"Environment with id '{environment_id}' does not exist"
        return _require(self.store.environments.get(environment_id), Code.ENVIRONMENT_DOES_NOT_EXIST, text)

    def used(self, environment_id: str) -> None:
        """Record that an environment that exists from the start has been used."""
        environment = self.store.environments.get(environment_id)
        if environment is not None and environment.seeded:
            environment.seeded = False
            self.store.save(environment)

    def deploy(self, deploy_id: str) -> Deploy:
        """A deploy that was not deleted; raises ApiError if there is none."""
        text = f"Deploy with id '{deploy_id}' does not exist"
        return _require(self.store.deploy(deploy_id), Code.DEPLOY_DOES_NOT_EXIST, text)

    def service(self, service_id: str) -> Service:
        """An existing service; raises ApiError if there is none."""
        text = f"Service {service_id} does not exist"
        return _require(self.store.services.get(service_id), Code.SERVICE_DOES_NOT_EXIST, text)

    def task(self, task_id: str) -> Task:
        """An existing task; raises ApiError if there is none."""
        text = f"Failed to find environment for task {task_id}"
        return _require(self.store.tasks.get(task_id), Code.TASK_DOES_NOT_EXIST, text)

    def job(self, job_id: str) -> Job:
        """An existing job; raises ApiError if there is none."""
        text = f"Job {job_id} does not exist"
        return _require(self.store.jobs.get(job_id), Code.JOB_DOES_NOT_EXIST, text)

    def load_balancer(self, load_balancer_id: str) -> LoadBalancer:
        """An existing load balancer; raises ApiError if there is none."""
        text = f"LoadBalancer with id '{load_balancer_id}' does not exist"
        balancer = self.store.load_balancers.get(load_balancer_id)
        return _require(balancer, Code.LOAD_BALANCER_DOES_NOT_EXIST, text)

    @staticmethod
    def own(kind: str, entity_id: str) -> ApiError:
        """The error for deleting what Layer0 itself runs in."""
        return ApiError(Code.UNEXPECTED_ERROR, f"The {kind} '{entity_id}' is Layer0's own and stays")

    def add_task(self, task: Task) -> None:
        self.store.save(task)
        self.store.tag(
            "task",
            task.task_id,
            name=task.name,
            environment_id=task.environment_id,
            deploy_id=task.copy.definition_id,
            arn=task_arn(task.environment_id, task.copy.copy_id),
        )

    def start_job(
        self, kind: JobType, request: str, on: str, work: Awaitable[Mapping[str, str] | None]
    ) -> str:
        """Do work in the background as a job, and return the job's id; `on` is named in its log.

        Layer0 runs each job as a separate task in environment `api`, from a new version of deploy `job`; both are
        listed like all others, and the task's log is the job's.
        """
        words = _WORDS[kind]
        job = Job(entity_id(words.lower()), kind, request, entity_id(words.lower()))
        self._add_runner(job)
        self.store.save(job)
        self.store.tag("job", job.job_id, task_id=job.task_id)
        self._log(job, f"Loading job '{job.job_id}'")

        async def run() -> None:
            await asyncio.sleep(0)
            job.status = JobStatus.IN_PROGRESS
            self.store.save(job)
            self._log(job, f"Running step '{words}'")
            self._log(job, f"Running Action: {words.replace(' ', '')} '{on}'")
            try:
                meta = await work
            except ApiError as error:
                self._log(job, f"Error: {error.message}")
                self._end(job, JobStatus.ERROR)
            else:
                job.meta = dict(meta) if meta is not None else None
                self._log(job, "Done")
                self._end(job, JobStatus.COMPLETED)

        self.scheduler.spawn(run())
        return job.job_id

    def end_interrupted(self) -> None:
        """End with an error the jobs that an earlier server in this folder left unfinished: nothing works on them any more.

        A service that such a job was deleting counts as existing again, and can be deleted.
        """
        for job in self.store.jobs.values():
            if job.status in (JobStatus.PENDING, JobStatus.IN_PROGRESS):
                self._log(job, "Error: Layer0 was stopped while this job ran")
                self._end(job, JobStatus.ERROR)
        for service in self.store.services.values():
            if service.deleting:
                service.deleting = False
                self.store.save(service)

    def _end(self, job: Job, status: JobStatus) -> None:
        job.status = status
        runner = self.store.tasks.get(job.task_id)
        if runner is not None:
            runner.copy.containers[0].status = Status.STOPPED
            runner.copy.containers[0].exit_code = int(status == JobStatus.ERROR)
            runner.copy.reason = "Essential container in task exited"
            self.store.save(runner)
        if job.job_id in self.store.jobs:
            self.store.save(job)

    def _add_runner(self, job: Job) -> None:
        version = self.store.next_version("job")
        template = self.store.deploys[f"{API}.1"]
        deploy = replace(template, deploy_id=f"job.{version}", name="job", version=version)
        self.store.save(deploy)
        self.store.tag("deploy", deploy.deploy_id, name="job", version=str(version))
        copy = Copy(deploy.deploy_id, [Container("l0-job", essential=True, status=Status.RUNNING)])
        self.add_task(Task(task_id=job.task_id, name=job.job_id, environment_id=API, copy=copy))

    def _log(self, job: Job, text: str) -> None:
        job.log.append(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} [Main] INFO : {text}")


def _require(entity: Entity | None, code: Code, text: str) -> Entity:
    if entity is None:
        raise ApiError(code, text)
    return entity
