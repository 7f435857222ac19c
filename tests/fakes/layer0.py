"""Deploys, services, tasks and all the rest of Layer0 in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from ecr_widgets.errors import EntityNotFound, InputError
from ecr_widgets.model.layer0 import Job, JobState
from ecr_widgets.model.services import (
    ContainerLog,
    Copy,
    Deploy,
    Deployment,
    Dialect,
    Service,
    Settings,
    Summary,
    Task,
    TaskContainer,
    TaskRequest,
)
from tests.fakes.environments import FakeEnvironments
from tests.fakes.world import World


class FakeLayer0(FakeEnvironments):
    """Implements `ports.Layer0`; a deployment runs at the second look, as real ones take a while."""

    def __init__(self, world: World, *, crashes: Sequence[str] = (), exit_code: int = 0) -> None:
        self._world = world
        self._crashes = tuple(crashes)
        self._exit_code = exit_code
        super().__init__()
        self.deploys: list[Deploy] = []
        self.tasks: dict[str, Summary] = {}
        self._looks = 0

    def dialect(self) -> Dialect:
        return Dialect.LAYER0

    def address(self) -> str:
        return "https://layer0.test"

    def request(self, call: str) -> str:
        return f"Layer0: {call}"

    def version(self) -> str:
        return "v0.12.6"

    def list_deploys(self, name: str) -> tuple[Deploy, ...]:
        return tuple(replace(each, dockerrun=None) for each in self.deploys if each.name == name)

    def list_all_deploys(self) -> tuple[Deploy, ...]:
        return tuple(
            replace(each, dockerrun=None) for each in sorted(self.deploys, key=lambda d: (d.name, d.version))
        )

    def deploy_limits(self) -> None:
        return None

    def find_latest_deploy(self, name: str) -> Deploy | None:
        return next(reversed(self.list_deploys(name)), None)

    def read_deploy(self, deploy_id: str) -> Deploy:
        for each in self.deploys:
            if each.deploy_id == deploy_id:
                return each
        raise EntityNotFound(f"no deploy {deploy_id}", status=404, code=23)

    def create_deploy(self, name: str, dockerrun: bytes) -> Deploy:
        version = 1 + max((each.version for each in self.deploys if each.name == name), default=0)
        self.deploys.append(Deploy(f"{name}.{version}", name, version, dockerrun))
        self._world.changes.append(f"create deploy {name}.{version}")
        return self.deploys[-1]

    def delete_deploy(self, deploy_id: str) -> None:
        self.deploys.remove(self.read_deploy(deploy_id))

    def find_service(self, environment_id: str, name: str) -> Service | None:
        return next(
            (s for s in self.services.values() if (s.environment_id, s.name) == (environment_id, name)), None
        )

    def read_service(self, service_id: str) -> Service:
        if service_id not in self.services:
            raise EntityNotFound(f"no service {service_id}", status=404, code=24)
        self._looks += 1
        service = self.services[service_id]
        primary = service.deployments[0]
        if self._crashes:
            primary = replace(primary, stopped_reasons=self._crashes[: self._looks - 1])
        elif self._looks > 1:
            primary = replace(primary, running_count=primary.desired_count)
        self.services[service_id] = replace(
            service, running_count=primary.running_count, deployments=(primary,)
        )
        return self.services[service_id]

    def create_service(
        self,
        environment_id: str,
        name: str,
        deploy_id: str,
        *,
        load_balancer_id: str = "",
        settings: Settings | None = None,
        token: str = "",
    ) -> Service:
        _refuse(settings)
        deployments = (self._deployment(deploy_id),)
        service = Service(
            f"{name[:7]}00000", name, environment_id, 1, 0, 0, deployments, load_balancer_id or None
        )
        self.services[service.service_id] = service
        self._world.changes.append(f"create service {name}")
        return service

    def update_service(self, service_id: str, deploy_id: str) -> Service:
        self._looks = 0
        self.services[service_id] = replace(
            self.services[service_id], running_count=0, deployments=(self._deployment(deploy_id),)
        )
        self._world.changes.append(f"update service to {deploy_id}")
        return self.services[service_id]

    def list_services(self, environment_id: str | None = None) -> tuple[Summary, ...]:
        return tuple(
            Summary(s.service_id, s.name, s.environment_id, self._name(s.environment_id))
            for s in sorted(self.services.values(), key=lambda each: each.name)
            if environment_id in (None, s.environment_id)
        )

    def scale_service(self, service_id: str, desired_count: int) -> Service:
        service = self.read_service(service_id)
        deployment = replace(service.deployments[0], desired_count=desired_count, running_count=desired_count)
        self.services[service_id] = replace(
            service, desired_count=desired_count, running_count=desired_count, deployments=(deployment,)
        )
        self._world.changes.append(f"scale service to {desired_count}")
        return self.services[service_id]

    def delete_service(self, service_id: str) -> str:
        return self.ended(service_id, failed=self.services.pop(service_id, None) is None)

    def service_logs(
        self, service_id: str, *, tail: int = 0, start: datetime | None = None, end: datetime | None = None
    ) -> tuple[ContainerLog, ...]:
        return (ContainerLog("timeout", ("starting", "cannot open /etc/app")),)

    def crash_logs(self, service_id: str, deployment_id: str, *, tail: int) -> tuple[ContainerLog, ...]:
        return self.service_logs(service_id, tail=tail)

    def find_deployment(self, service_id: str, deployment_id: str) -> Deployment | None:
        return None

    def stop_deployment(self, service_id: str, deployment_id: str) -> None:
        raise InputError("Layer0 cannot stop a deployment")

    def continue_deployment(self, service_id: str, deployment_id: str, *, roll_back: bool = False) -> None:
        raise InputError("Layer0's deployments do not wait at pause hooks")

    def list_copies(self, service_id: str) -> tuple[Copy, ...] | None:
        return None

    def resolved_images(self, service_id: str) -> tuple[str, ...]:
        return ()

    def read_settings(self, service_id: str) -> Settings | None:
        return None

    def never_fits(self, service_id: str, deploy_id: str) -> str:
        return ""

    def apply_settings(self, service_id: str, settings: Settings) -> Service:
        _refuse(settings)
        raise AssertionError

    def task_requests(
        self,
        environment_id: str,
        name: str,
        deploy_id: str,
        env_vars: Mapping[str, Mapping[str, str]],
        *,
        run_id: str,
    ) -> frozenset[str]:
        wanted = self._task(environment_id, name, deploy_id, env_vars)
        return frozenset(each.job_id for each in self.list_jobs() if each.request == wanted)

    def read_task_request(self, request_id: str) -> TaskRequest:
        job = self.read_job(request_id)
        return TaskRequest(
            request_id,
            f"job {request_id}",
            job.state.name.lower(),
            job.task_id,
            job.state in (JobState.ERROR, JobState.COMPLETED),
            self.job_log(job),
        )

    def job_log(self, job: Job) -> tuple[str, ...]:
        return tuple(line for log in self.task_logs(job.runner_task_id) for line in log.lines)

    def start_task(
        self,
        environment_id: str,
        name: str,
        deploy_id: str,
        env_vars: Mapping[str, Mapping[str, str]],
        *,
        run_id: str,
        token: str,
        settings: Settings | None = None,
    ) -> str:
        _refuse(settings)
        self._world.changes.append(f"create task {name}")
        task_id = f"task{len(self.tasks):08d}"
        self.tasks[task_id] = Summary(task_id, name, environment_id, self._name(environment_id))
        return self.ended(self._task(environment_id, name, deploy_id, env_vars), meta=(("task_id", task_id),))

    def read_job(self, job_id: str) -> Job:
        if job_id not in self.jobs:
            raise EntityNotFound(f"no job {job_id}", status=404, code=25)
        return self.jobs[job_id]

    def read_task(self, task_id: str) -> Task:
        if task_id not in self.tasks:
            raise EntityNotFound(f"no task {task_id}", status=404, code=29)
        container = TaskContainer("timeout", "STOPPED", self._exit_code, "")
        return Task(task_id, self.tasks[task_id].name, "demo24e9e412", "timeout.1", 0, 0, "", (container,))

    def list_tasks(self, environment_id: str | None = None) -> tuple[Summary, ...]:
        return tuple(each for each in self.tasks.values() if environment_id in (None, each.environment_id))

    def delete_task(self, task_id: str) -> None:
        if self.tasks.pop(task_id, None) is None:
            raise EntityNotFound(f"no task {task_id}", status=404, code=29)

    def list_jobs(self) -> tuple[Job, ...]:
        return tuple(self.jobs.values())

    def delete_job(self, job_id: str) -> None:
        del self.jobs[job_id]

    def task_logs(
        self, task_id: str, *, tail: int = 0, start: datetime | None = None, end: datetime | None = None
    ) -> tuple[ContainerLog, ...]:
        return (ContainerLog("timeout", ("done",)),)

    @staticmethod
    def _task(
        environment_id: str, name: str, deploy_id: str, env_vars: Mapping[str, Mapping[str, str]]
    ) -> str:
        overrides = {container: dict(values) for container, values in env_vars.items()}
        return json.dumps([environment_id, name, deploy_id, overrides])

    def _deployment(self, deploy_id: str) -> Deployment:
        return Deployment("ecs-svc/1", deploy_id, "PRIMARY", 1, 0, 0, self._world.now)


def _refuse(settings: Settings | None) -> None:
    if settings is not None:
        raise InputError("Layer0 does not accept a service file")
