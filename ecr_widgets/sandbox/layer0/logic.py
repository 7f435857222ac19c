"""What each call does, by Layer0's rules; bodies in, wire shapes out."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ecr_widgets.sandbox.layer0.engine import Containers
from ecr_widgets.sandbox.layer0.errors import ApiError, Code
from ecr_widgets.sandbox.layer0.render import fold, render
from ecr_widgets.sandbox.layer0.scheduler import Scheduler, wire_counts
from ecr_widgets.sandbox.layer0.store import (
    Copy,
    Deploy,
    Deployment,
    Environment,
    Job,
    Service,
    Store,
    Task,
    entity_id,
)

Wire = dict[str, Any]
Body = Mapping[str, Any]
_CREATE_TASK, _DELETE_SERVICE = 5, 2
_COMPLETED = 3


class Logic:
    """The API's calls."""

    def __init__(self, store: Store, scheduler: Scheduler, containers: Containers) -> None:
        self._store = store
        self._scheduler = scheduler
        self._containers = containers

    def tags(self, query: Mapping[str, str]) -> list[Wire]:
        """`GET /tag`: exact id, prefix of id or name, any key as a filter, `version=latest`.

        Of several versions the latest is given for each name; the real server gives one of all names, which is why
        `timeout:latest` fails there once `timeout-worker` has a higher version. The `l0` command takes both.
        """
        given = dict(query)
        kind = given.pop("type", "")
        if not kind:
            raise ApiError(Code.MISSING_PARAMETER, "Parameter 'type' is required")
        exact, fuzz = given.pop("id", None), given.pop("fuzz", None)
        latest = given.get("version") == "latest" and bool(given.pop("version"))
        found = {
            each: tags
            for each, tags in self._store.tags(kind).items()
            if exact in (None, each)
            and all(key in tags and value in tags.values() for key, value in given.items())
            and (fuzz is None or each.startswith(fuzz) or tags.get("name", "").startswith(fuzz))
        }
        if latest:
            newest: dict[str, str] = {}
            for each, tags in found.items():
                name = tags.get("name", "")
                if name not in newest or int(tags["version"]) > int(found[newest[name]]["version"]):
                    newest[name] = each
            found = {each: found[each] for each in newest.values()}
        return [
            {
                "entity_id": each,
                "entity_type": kind,
                "tags": [
                    {"entity_id": each, "entity_type": kind, "key": key, "value": value}
                    for key, value in tags.items()
                ],
            }
            for each, tags in found.items()
        ]

    def list_environments(self) -> list[Wire]:
        """`GET /environment`."""
        return [
            {
                "environment_id": each.environment_id,
                "environment_name": each.name,
                "operating_system": each.operating_system,
            }
            for each in self._store.environments.values()
        ]

    def read_environment(self, environment_id: str) -> Wire:
        """`GET /environment/{id}`."""
        found = self._store.environments.get(environment_id)
        if found is None:
            raise ApiError(
                Code.ENVIRONMENT_DOES_NOT_EXIST, f"Environment with id '{environment_id}' does not exist"
            )
        return {
            "environment_id": found.environment_id,
            "environment_name": found.name,
            "cluster_count": 1,
            "min_count": 0,
            "max_count": 0,
            "target_cap_size": 0,
            "instance_size": "m3.medium",
            "security_group_id": "",
            "operating_system": found.operating_system,
            "ami_id": "",
            "links": [],
        }

    def create_environment(self, body: Body) -> Wire:
        """`POST /environment`."""
        name, system = _text(body, "environment_name"), _text(body, "operating_system")
        if not name:
            raise ApiError(Code.MISSING_PARAMETER, "EnvironmentName is required")
        if not system:
            raise ApiError(Code.MISSING_PARAMETER, "OperatingSystem is required")
        if any(each.name == name for each in self._store.environments.values()):
            raise ApiError(Code.INVALID_ENVIRONMENT_ID, f"Environment with name '{name}' already exists")
        if system.lower() not in ("linux", "windows"):
            raise ApiError(Code.UNEXPECTED_ERROR, f"Operating system '{system}' is not recognized")
        made = Environment(entity_id(name), name, system.lower())
        self._store.environments[made.environment_id] = made
        return self.read_environment(made.environment_id)

    def list_deploys(self) -> list[Wire]:
        """`GET /deploy`."""
        return [
            {"deploy_id": each.deploy_id, "deploy_name": each.name, "version": str(each.version)}
            for each in self._store.deploys.values()
        ]

    def read_deploy(self, deploy_id: str) -> Wire:
        """`GET /deploy/{id}`."""
        found = self._deploy(deploy_id)
        return {
            "dockerrun": base64.b64encode(found.document).decode(),
            "deploy_id": found.deploy_id,
            "deploy_name": found.name,
            "version": str(found.version),
        }

    def create_deploy(self, body: Body) -> Wire:
        """`POST /deploy`."""
        name = _text(body, "deploy_name")
        if not name:
            raise ApiError(Code.MISSING_PARAMETER, "DeployName is required")
        if "." in name:
            raise ApiError(Code.INVALID_DEPLOY_ID, "Deploy names cannot contain '.'")
        document = _dockerrun(_text(body, "dockerrun"))
        containers = document.get("containerDefinitions") or []
        if not containers:
            raise ApiError(
                Code.UNEXPECTED_ERROR, "AWS Error: container list cannot be empty. (code 'ClientException')"
            )
        if document.get("family") not in (None, "", f"l0-local-{name}"):
            raise ApiError(Code.UNEXPECTED_ERROR, "Custom family names are currently unsupported in Layer0")
        for each in containers:
            if not each.get("memory") and not each.get("memoryReservation"):
                raise ApiError(
                    Code.UNEXPECTED_ERROR,
                    "AWS Error: invalid setting for container"
                    f" '{each.get('name')}'. at least one of 'memory' or 'memoryreservation' must be specified."
                    " (code 'ClientException')",
                )
        version = self._store.last_version.get(name, 0) + 1
        self._store.last_version[name] = version
        made = Deploy(
            f"{name}.{version}",
            name,
            version,
            render(name, containers, document.get("volumes") or []),
            containers,
        )
        self._store.deploys[made.deploy_id] = made
        return self.read_deploy(made.deploy_id)

    def delete_deploy(self, deploy_id: str) -> str:
        """`DELETE /deploy/{id}`; services that run it go on."""
        self._deploy(deploy_id)
        in_use = {d.deploy_id for s in self._store.services.values() for d in s.deployments}
        if deploy_id not in in_use:
            del self._store.deploys[deploy_id]
        return ""

    def list_services(self) -> list[Wire]:
        """`GET /service`."""
        return [
            {
                "service_id": each.service_id,
                "service_name": each.name,
                "environment_id": each.environment_id,
                "environment_name": self._store.environments[each.environment_id].name,
            }
            for each in self._store.services.values()
        ]

    def read_service(self, service_id: str) -> Wire:
        """`GET /service/{id}`.

        Each deployment also carries `stopped_reasons` and `events`, which Layer0 has no place for; clients that do not
        know them ignore them.
        """
        service = self._service(service_id)
        return {
            "service_id": service.service_id,
            "service_name": service.name,
            "environment_id": service.environment_id,
            "environment_name": self._store.environments[service.environment_id].name,
            "load_balancer_id": "",
            "load_balancer_name": "",
            "desired_count": service.desired_count,
            **wire_counts(service.copies),
            "deployments": [
                {
                    "deployment_id": each.deployment_id,
                    "created": each.created,
                    "updated": each.updated,
                    "status": "PRIMARY" if number == 0 else "ACTIVE",
                    "desired_count": service.desired_count,
                    **wire_counts(service.copies, each.deploy_id),
                    "deploy_id": each.deploy_id,
                    "deploy_name": each.deploy_id.rpartition(".")[0],
                    "deploy_version": each.deploy_id.rpartition(".")[2],
                    "events": [],
                    "stopped_reasons": each.stopped_reasons[-20:],
                }
                for number, each in enumerate(service.deployments)
            ],
        }

    def create_service(self, body: Body) -> Wire:
        """`POST /service`: desired count 1, always."""
        for member, word in (
            ("environment_id", "EnvironmentID"),
            ("service_name", "ServiceName"),
            ("deploy_id", "DeployID"),
        ):
            if not _text(body, member):
                raise ApiError(Code.MISSING_PARAMETER, f"{word} is required")
        environment_id, name = _text(body, "environment_id"), _text(body, "service_name")
        if environment_id not in self._store.environments:
            raise ApiError(
                Code.INVALID_ENVIRONMENT_ID, f"Environment with id '{environment_id}' does not exist"
            )
        if _text(body, "load_balancer_id"):
            raise ApiError(Code.LOAD_BALANCER_DOES_NOT_EXIST, "LoadBalancer does not exist")
        if any((s.environment_id, s.name) == (environment_id, name) for s in self._store.services.values()):
            raise ApiError(Code.INVALID_SERVICE_NAME, f"Service with name '{name}' already exists")
        deploy_id = self._known_deploy(_text(body, "deploy_id"))
        service = Service(entity_id(name), name, environment_id, deployments=[_deployment(deploy_id)])
        self._store.services[service.service_id] = service
        self._scheduler.wake()
        return self.read_service(service.service_id)

    def update_service(self, service_id: str, body: Body) -> Wire:
        """`PUT /service/{id}/deploy`."""
        service = self._service(service_id)
        deploy_id = self._known_deploy(_text(body, "deploy_id"))
        if service.deployments[0].deploy_id != deploy_id:
            service.deployments.insert(0, _deployment(deploy_id))
        self._scheduler.wake()
        return self.read_service(service_id)

    def scale_service(self, service_id: str, body: Body) -> Wire:
        """`PUT /service/{id}/scale`."""
        service, count = self._service(service_id), body.get("desired_count", 0)
        if not isinstance(count, int) or isinstance(count, bool):
            raise ApiError(Code.INVALID_JSON, "json: cannot unmarshal into Go value of type int")
        service.desired_count = max(count, 0)
        self._scheduler.wake()
        return self.read_service(service_id)

    async def delete_service(self, service_id: str) -> str:
        """`DELETE /service/{id}`: gives a job's id."""
        job = self._job("deletes", _DELETE_SERVICE, service_id)
        service = self._store.services.pop(service_id, None)
        if service is None:
            job.status = 4
        else:
            for copy in service.copies:
                await self._scheduler.stop(copy, "Service deleted")
                await self._remove(copy)
            job.status = _COMPLETED
        return job.job_id

    async def service_logs(self, service_id: str, query: Mapping[str, str]) -> list[Wire]:
        """`GET /service/{id}/logs`: containers of the current deployments, newest first."""
        service = self._service(service_id)
        current = {each.deploy_id for each in service.deployments}
        return await self._logs(
            [copy for copy in reversed(service.copies) if copy.deploy_id in current], query
        )

    def list_tasks(self) -> list[Wire]:
        """`GET /task`."""
        return [
            {
                "task_id": each.task_id,
                "task_name": each.name,
                "environment_id": each.environment_id,
                "environment_name": self._store.environments[each.environment_id].name,
            }
            for each in self._store.tasks.values()
        ]

    def read_task(self, task_id: str) -> Wire:
        """`GET /task/{id}`."""
        task = self._task(task_id)
        return {
            "task_id": task.task_id,
            "task_name": task.name,
            "environment_id": task.environment_id,
            "environment_name": self._store.environments[task.environment_id].name,
            "deploy_id": task.deploy_id,
            "deploy_name": task.deploy_id.rpartition(".")[0],
            "deploy_version": task.deploy_id.rpartition(".")[2],
            **wire_counts([task.copy]),
            "copies": [
                {
                    "task_copy_id": f"arn:aws:ecs:us-west-2:111222333444:task/{task.copy.copy_id}",
                    "reason": task.copy.reason,
                    "details": [
                        {
                            "container_name": each.name,
                            "exit_code": each.exit_code,
                            "last_status": each.status,
                            "reason": each.reason,
                        }
                        for each in task.copy.containers
                    ],
                }
            ],
        }

    def create_task(self, body: Body) -> str:
        """`POST /task`: gives a job's id. Ids are checked at once, where the real server tries for a day."""
        environment_id, name = _text(body, "environment_id"), _text(body, "task_name")
        if environment_id not in self._store.environments:
            raise ApiError(
                Code.ENVIRONMENT_DOES_NOT_EXIST, f"Environment with id '{environment_id}' does not exist"
            )
        deploy_id = _text(body, "deploy_id")
        self._deploy(deploy_id)
        overrides = {
            str(each.get("container_name")): {
                str(k): str(v) for k, v in (each.get("environment_overrides") or {}).items()
            }
            for each in body.get("container_overrides") or []
        }
        task = Task(
            entity_id(name), name, environment_id, deploy_id, self._scheduler.new_copy(deploy_id), overrides
        )
        self._store.tasks[task.task_id] = task
        self._scheduler.launch(task.copy, task.task_id, overrides)
        job = self._job("createt", _CREATE_TASK, json.dumps(dict(body)))
        job.meta, job.status = {"task_id": task.task_id}, _COMPLETED
        return job.job_id

    async def delete_task(self, task_id: str) -> str:
        """`DELETE /task/{id}`."""
        task = self._task(task_id)
        await self._scheduler.stop(task.copy, "Task stopped by user")
        await self._remove(task.copy)
        del self._store.tasks[task_id]
        return ""

    async def task_logs(self, task_id: str, query: Mapping[str, str]) -> list[Wire]:
        """`GET /task/{id}/logs`."""
        return await self._logs([self._task(task_id).copy], query)

    def list_jobs(self) -> list[Wire]:
        """`GET /job`."""
        return [self.read_job(job_id) for job_id in self._store.jobs]

    def read_job(self, job_id: str) -> Wire:
        """`GET /job/{id}`."""
        job = self._store.jobs.get(job_id)
        if job is None:
            raise ApiError(Code.JOB_DOES_NOT_EXIST, f"Job with id '{job_id}' does not exist")
        return {
            "job_id": job.job_id,
            "task_id": job.job_id,
            "job_status": job.status,
            "job_type": job.job_type,
            "request": job.request,
            "time_created": job.created,
            "time_to_exist": 0,
            "meta": job.meta,
        }

    def delete_job(self, job_id: str) -> str:
        """`DELETE /job/{id}`."""
        self.read_job(job_id)
        del self._store.jobs[job_id]
        return ""

    async def _logs(self, copies: list[Copy], query: Mapping[str, str]) -> list[Wire]:
        tail = query.get("tail") or "0"
        if not tail.isdigit():
            raise ApiError(Code.INVALID_JSON, f"Tail must be an integer: {tail!r}")
        start, end = (_minute(query.get(each)) for each in ("start", "end"))
        return [
            {
                "name": container.name,
                "lines": await asyncio.to_thread(
                    self._containers.logs, container.docker_id, tail=int(tail), start=start, end=end
                ),
            }
            for copy in copies
            for container in copy.containers
            if container.docker_id is not None
        ]

    async def _remove(self, copy: Copy) -> None:
        for container in copy.containers:
            if container.docker_id is not None:
                await asyncio.to_thread(self._containers.remove, container.docker_id)

    def _job(self, words: str, kind: int, request: str) -> Job:
        job = Job(entity_id(words), kind, request)
        self._store.jobs[job.job_id] = job
        return job

    def _deploy(self, deploy_id: str) -> Deploy:
        found = self._store.deploys.get(deploy_id)
        if found is None:
            raise ApiError(Code.DEPLOY_DOES_NOT_EXIST, f"Deploy with id '{deploy_id}' does not exist")
        return found

    def _known_deploy(self, deploy_id: str) -> str:
        if deploy_id not in self._store.deploys:
            raise ApiError(
                Code.UNEXPECTED_ERROR,
                "AWS Error: unable to describe task definition. (code 'ClientException')",
            )
        return deploy_id

    def _service(self, service_id: str) -> Service:
        found = self._store.services.get(service_id)
        if found is None:
            raise ApiError(Code.SERVICE_DOES_NOT_EXIST, f"Service with id '{service_id}' does not exist")
        return found

    def _task(self, task_id: str) -> Task:
        found = self._store.tasks.get(task_id)
        if found is None:
            raise ApiError(Code.TASK_DOES_NOT_EXIST, f"Task with id '{task_id}' does not exist")
        return found


def _deployment(deploy_id: str) -> Deployment:
    return Deployment(f"ecs-svc/{secrets.randbelow(10**19):019d}", deploy_id)


def _dockerrun(coded: str) -> dict[str, Any]:
    try:
        document = fold(json.loads(base64.b64decode(coded, validate=True).decode()))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise ApiError(Code.INVALID_JSON, f"Failed to decode deploy: {error}") from error
    if not isinstance(document, dict):
        raise ApiError(Code.INVALID_JSON, "Failed to decode deploy: json: cannot unmarshal into an object")
    return document


def _text(body: Body, member: str) -> str:
    value = body.get(member)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ApiError(
            Code.INVALID_JSON,
            f"json: cannot unmarshal {type(value).__name__} into field {member} of type string",
        )
    return value


def _minute(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    except ValueError as error:
        raise ApiError(Code.UNEXPECTED_ERROR, f'parsing time "{text}" as "2006-01-02 15:04"') from error
