"""Amazon ECS in memory: task definitions, services with rollouts, copies and tasks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from ecr_widgets.errors import DeploymentFailed, EntityNotFound, InputError
from ecr_widgets.model.ecs_names import EcsAddress
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.services import (
    ContainerLog,
    Copy,
    Deploy,
    DeployLimits,
    Deployment,
    Dialect,
    Place,
    Scaling,
    Service,
    Settings,
    Summary,
    Task,
    TaskContainer,
    TaskRequest,
)
from tests.fakes.world import World, digest_of

ADDRESS = EcsAddress("aws", "us-east-1", "111222333444")


class FakeEcs:
    """Implements `ports.services.Services`; a deployment runs at the second look, as real ones take a while.

    What goes wrong is set by deploy id, so that the deploy before it is good.
    """

    def __init__(self, world: World, *, clusters: Sequence[str] = ("demo",)) -> None:
        self._world = world
        self.clusters = list(clusters)
        self.deploys: list[Deploy] = []
        self.services: dict[str, Service] = {}
        self.settings: dict[str, dict[str, Any]] = {}
        """By service id."""
        self.tasks: dict[str, Task] = {}
        self.asked: dict[str, tuple[object, ...]] = {}
        """What each task was asked for, by its id."""
        self.crashes: dict[str, Sequence[str]] = {}
        """Why copies of a deploy stop, one at each look."""
        self.given_up: dict[str, str] = {}
        """Why the target gives a deploy's deployment up and brings back what ran before, if anything did."""
        self.no_room: dict[str, str] = {}
        """What the scheduler says of a deploy that it finds no place for."""
        self.too_big: dict[str, str] = {}
        """Why no instance could ever run a deploy."""
        self.pauses: dict[str, tuple[str, str]] = {}
        """Stage and hook id at which a deploy's deployment waits."""
        self.no_task: tuple[str, ...] = ()
        """Why no task can be started."""
        self.exit_codes: dict[str, int | None] = {}
        """Of tasks' containers, by name."""
        self.limits = DeployLimits(of_each=20, of_one=1000)
        self.digests: dict[str, str] = {}
        """What copies run, by container name, where it is not what their deploy names."""
        self.log: tuple[str, ...] = ("starting", "cannot open /etc/app")
        self._ended: dict[str, Deployment] = {}
        self._looks: dict[str, int] = {}
        self._tokens: dict[str, str] = {}
        self._ids = 0

    def dialect(self) -> Dialect:
        return Dialect.ECS

    def address(self) -> str:
        return str(ADDRESS)

    def request(self, call: str) -> str:
        return f"ECS: {call}"

    def version(self) -> str:
        return ""

    def find_environment(self, name: str) -> Place | None:
        cluster = ADDRESS.cluster_name(name)
        return _place(cluster) if cluster in self.clusters else None

    def list_environments(self) -> tuple[Place, ...]:
        return tuple(map(_place, sorted(self.clusters)))

    def list_deploys(self, name: str) -> tuple[Deploy, ...]:
        return self._active(name)[-self.limits.of_one :]

    def list_all_deploys(self) -> tuple[Deploy, ...]:
        families = sorted({each.name for each in self.deploys})
        return tuple(each for name in families for each in self._active(name)[-self.limits.of_each :])

    def deploy_limits(self) -> DeployLimits | None:
        return self.limits

    def _active(self, name: str) -> tuple[Deploy, ...]:
        active = [replace(each, dockerrun=None) for each in self.deploys if each.is_active]
        return tuple(sorted((each for each in active if each.name == name), key=lambda each: each.version))

    def find_latest_deploy(self, name: str) -> Deploy | None:
        return next(reversed(self.list_deploys(name)), None)

    def read_deploy(self, deploy_id: str) -> Deploy:
        for each in self.deploys:
            if each.deploy_id == deploy_id:
                return each
        raise EntityNotFound(f"no task definition {deploy_id}")

    def create_deploy(self, name: str, dockerrun: bytes) -> Deploy:
        version = 1 + max((each.version for each in self.deploys if each.name == name), default=0)
        deploy_id = f"{name}:{version}"
        stored = json.loads(dockerrun) | {
            "family": name,
            "taskDefinitionArn": f"{ADDRESS}:task-definition/{deploy_id}",
            "revision": version,
            "status": "ACTIVE",
        }
        self.deploys.append(Deploy(deploy_id, name, version, json.dumps(stored).encode()))
        self._world.changes.append(f"register {deploy_id}")
        return self.deploys[-1]

    def delete_deploy(self, deploy_id: str) -> None:
        found = self.read_deploy(deploy_id)
        self.deploys[self.deploys.index(found)] = replace(found, is_active=False)
        self._world.changes.append(f"deregister {deploy_id}")

    def find_service(self, environment_id: str, name: str) -> Service | None:
        return self.services.get(ADDRESS.service(ADDRESS.cluster_name(environment_id), name))

    def read_service(self, service_id: str) -> Service:
        ADDRESS.in_cluster(service_id, "service")
        if service_id not in self.services:
            raise EntityNotFound(f"no service {service_id}")
        self.services[service_id] = self._a_look_later(self.services[service_id])
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
        if load_balancer_id:
            raise InputError(
                "ECS takes no load balancer by name", hint="name target groups in a service file"
            )
        service_id = ADDRESS.service(ADDRESS.cluster_name(environment_id), name)
        if service_id in self.services:
            if not token or self._tokens[service_id] != token:
                raise InputError("Creation of service was not idempotent.")
            return self.services[service_id]
        self._require_active(deploy_id)
        given = dict(settings or {})
        self.settings[service_id] = given
        self._tokens[service_id] = token
        desired = given.get("desiredCount", 1)
        self.services[service_id] = Service(
            service_id,
            name,
            environment_id,
            desired,
            0,
            desired,
            (self._deployment(deploy_id, desired),),
        )
        self._world.changes.append(f"create service {name}")
        return self.services[service_id]

    def update_service(self, service_id: str, deploy_id: str) -> Service:
        service = self.services[service_id]
        if service.refused:
            raise InputError(service.refused)
        self._require_active(deploy_id)
        if service.primary is not None and service.primary.deploy_id == deploy_id:
            return service
        new = self._deployment(deploy_id, service.desired_count)
        old = tuple(replace(each, status="ACTIVE") for each in service.deployments)
        self.services[service_id] = replace(service, deployments=(new, *old))
        self._world.changes.append(f"update service to {deploy_id}")
        return self.services[service_id]

    def find_deployment(self, service_id: str, deployment_id: str) -> Deployment | None:
        listed = {each.deployment_id: each for each in self.services[service_id].deployments}
        return listed.get(deployment_id) or self._ended.get(deployment_id)

    def stop_deployment(self, service_id: str, deployment_id: str) -> None:
        self._bring_back(service_id, deployment_id, "stopped by somebody")
        self._world.changes.append(f"stop deployment {deployment_id}")

    def continue_deployment(self, service_id: str, deployment_id: str, *, roll_back: bool = False) -> None:
        found = self.find_deployment(service_id, deployment_id)
        if found is None or not found.hook_id:
            raise InputError(f"deployment {deployment_id} does not wait at a pause hook")
        self._world.changes.append(f"continue deployment {deployment_id}")
        del self.pauses[found.deploy_id]
        service = self.services[service_id]
        self.services[service_id] = replace(
            service,
            deployments=tuple(
                replace(each, hook_id="") if each.deployment_id == deployment_id else each
                for each in service.deployments
            ),
        )
        if roll_back:
            self._bring_back(service_id, deployment_id, "rolled back at a pause")

    def list_copies(self, service_id: str) -> tuple[Copy, ...]:
        service = self.services[service_id]
        cluster, _ = ADDRESS.in_cluster(service_id, "service")
        return tuple(
            Copy(
                ADDRESS.task(cluster, f"{each.deployment_id.rpartition('/')[2]}{number:04x}"),
                each.deployment_id,
                each.deploy_id,
                "RUNNING",
                "HEALTHY",
                each.created_at,
                tuple(self._containers(each.deploy_id, "RUNNING")),
            )
            for each in reversed(service.deployments)
            for number in range(each.running_count)
        )

    def resolved_images(self, service_id: str) -> tuple[str, ...]:
        document = json.loads(
            self.read_deploy(self.services[service_id].deployments[0].deploy_id).dockerrun or b"{}"
        )
        images = {each["name"]: each["image"] for each in document["containerDefinitions"]}
        ran = (part for each in self.list_copies(service_id) for part in each.containers)
        found = (ImageReference.parse(images[each.name]).with_digest(each.image_digest or "") for each in ran)
        return tuple(dict.fromkeys(map(str, found)))

    def crash_logs(self, service_id: str, deployment_id: str, *, tail: int) -> tuple[ContainerLog, ...]:
        return self.service_logs(service_id, tail=tail)

    def read_settings(self, service_id: str) -> Settings | None:
        return self.settings[service_id]

    def never_fits(self, service_id: str, deploy_id: str) -> str:
        return self.too_big.get(deploy_id, "")

    def apply_settings(self, service_id: str, settings: Settings) -> Service:
        self.settings[service_id].update(settings)
        self._world.changes.append(f"apply {', '.join(sorted(settings))}")
        return self.services[service_id]

    def list_services(self, environment_id: str | None = None) -> tuple[Summary, ...]:
        return tuple(
            Summary(each.service_id, each.name, each.environment_id, _name(each.environment_id))
            for each in sorted(self.services.values(), key=lambda each: each.name)
            if environment_id in (None, each.environment_id)
        )

    def scale_service(self, service_id: str, desired_count: int) -> Service:
        service = self.services[service_id]
        primary = replace(
            service.deployments[0],
            desired_count=desired_count,
            running_count=desired_count,
            state="COMPLETED",
        )
        self.services[service_id] = replace(
            service, desired_count=desired_count, running_count=desired_count, deployments=(primary,)
        )
        self._world.changes.append(f"scale service to {desired_count}")
        return self.services[service_id]

    def service_logs(
        self, service_id: str, *, tail: int = 0, start: datetime | None = None, end: datetime | None = None
    ) -> tuple[ContainerLog, ...]:
        return self._logs("", tail)

    def task_requests(
        self,
        environment_id: str,
        name: str,
        deploy_id: str,
        env_vars: Mapping[str, Mapping[str, str]],
        *,
        run_id: str,
    ) -> frozenset[str]:
        wanted = _asked(environment_id, name, deploy_id, env_vars, run_id)
        return frozenset(each for each, asked in self.asked.items() if asked == wanted)

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
        if token in self._tokens:
            return self._tokens[token]
        self._require_active(deploy_id)
        if self.no_task:
            raise DeploymentFailed(f"task {name!r} was not started: {self.no_task[0]}", reasons=self.no_task)
        task_id = ADDRESS.task(ADDRESS.cluster_name(environment_id), self._new_id())
        containers = tuple(self._containers(deploy_id, "STOPPED"))
        self.tasks[task_id] = Task(task_id, name, environment_id, deploy_id, 0, 0, "", containers)
        self.asked[task_id] = _asked(environment_id, name, deploy_id, env_vars, run_id)
        self._tokens[token] = task_id
        self._world.changes.append(f"start task {name}")
        return task_id

    def read_task_request(self, request_id: str) -> TaskRequest:
        task = self.read_task(request_id)
        return TaskRequest(request_id, f"task {request_id.rpartition('/')[2]}", "started", task.task_id)

    def read_task(self, task_id: str) -> Task:
        if task_id not in self.tasks:
            raise EntityNotFound(f"no task {task_id}")
        return self.tasks[task_id]

    def list_tasks(self, environment_id: str | None = None) -> tuple[Summary, ...]:
        return tuple(
            Summary(each.task_id, each.name, each.environment_id, _name(each.environment_id))
            for each in sorted(self.tasks.values(), key=lambda each: each.name)
            if environment_id in (None, each.environment_id)
        )

    def delete_task(self, task_id: str) -> None:
        self.read_task(task_id)
        del self.tasks[task_id]
        self._world.changes.append(f"stop task {task_id}")

    def task_logs(
        self, task_id: str, *, tail: int = 0, start: datetime | None = None, end: datetime | None = None
    ) -> tuple[ContainerLog, ...]:
        return self._logs(task_id, tail)

    def scales_by_itself(self, service_id: str, least: int, most: int) -> None:
        """Have auto scaling keep the number of copies within bounds."""
        self.services[service_id] = replace(self.services[service_id], scaling=Scaling(least, most))

    def refuses(self, service_id: str, why: str) -> None:
        """Have a service that this kit must not move, as one whose controller is CodeDeploy."""
        self.services[service_id] = replace(self.services[service_id], refused=why)

    def _a_look_later(self, service: Service) -> Service:
        primary, *older = service.deployments
        looks = self._looks[primary.deployment_id] = self._looks.get(primary.deployment_id, 0) + 1
        deploy_id = primary.deploy_id
        if deploy_id in self.crashes:
            reasons = tuple(self.crashes[deploy_id][: looks - 1])
            primary = replace(primary, stopped_reasons=reasons)
        elif deploy_id in self.no_room:
            primary = replace(primary, events=(self.no_room[deploy_id],))
        elif deploy_id in self.pauses:
            stage, hook_id = self.pauses[deploy_id]
            primary = replace(primary, stage=stage, hook_id=hook_id)
        elif looks > 1 and deploy_id in self.given_up:
            self._bring_back(service.service_id, primary.deployment_id, self.given_up[deploy_id])
            return self.services[service.service_id]
        elif looks > 1:
            count = primary.desired_count
            primary = replace(
                primary, state="COMPLETED", running_count=count, pending_count=0, stage="", hook_id=""
            )
            self._ended.update({each.deployment_id: each for each in older})
            return replace(service, running_count=count, pending_count=0, deployments=(primary,))
        return replace(service, deployments=(primary, *older))

    def _bring_back(self, service_id: str, deployment_id: str, reason: str) -> None:
        """ECS's own way back: the earlier deploy again, by a new deployment; the failed one is gone from the service."""
        service = self.services[service_id]
        by_id = {each.deployment_id: each for each in service.deployments}
        failed = replace(
            by_id.pop(deployment_id), status="ACTIVE", state="FAILED", reason=reason, failed_count=3
        )
        self._ended[deployment_id] = failed
        if not by_id:
            self.services[service_id] = replace(service, deployments=(replace(failed, status="PRIMARY"),))
            return
        before = next(iter(by_id.values()))
        back = replace(
            self._deployment(before.deploy_id, before.desired_count),
            running_count=before.desired_count,
            pending_count=0,
            state="COMPLETED",
        )
        self.services[service_id] = replace(service, running_count=back.running_count, deployments=(back,))

    def _deployment(self, deploy_id: str, desired: int) -> Deployment:
        return Deployment(
            f"ecs-svc/{self._new_id()}",
            deploy_id,
            "PRIMARY",
            desired,
            0,
            desired,
            self._world.now,
            state="IN_PROGRESS",
        )

    def _containers(self, deploy_id: str, status: str) -> list[TaskContainer]:
        document = json.loads(self.read_deploy(deploy_id).dockerrun or b"{}")
        return [
            TaskContainer(
                each["name"],
                status,
                self.exit_codes.get(each["name"], 0) if status == "STOPPED" else None,
                "",
                self.digests.get(each["name"]) or self._digest(each["image"]),
                each.get("essential", True),
            )
            for each in document["containerDefinitions"]
        ]

    def _digest(self, image: str) -> str | None:
        with suppress(InputError):
            reference = ImageReference.parse(image)
            tag = reference.tag or "latest"
            return reference.digest or self._world.tags.get((reference.repository, tag)) or digest_of(image)
        return None

    def _logs(self, copy_id: str, tail: int) -> tuple[ContainerLog, ...]:
        lines = self.log[-tail:] if tail else self.log
        return (ContainerLog("timeout", lines, copy_id, (self._world.now,) * len(lines)),)

    def _require_active(self, deploy_id: str) -> None:
        if not self.read_deploy(deploy_id).is_active:
            raise InputError(f"TaskDefinition is inactive: {deploy_id}")

    def _new_id(self) -> str:
        self._ids += 1
        return f"{self._ids:032x}"


def _place(cluster: str) -> Place:
    return Place(ADDRESS.cluster(cluster), f"ecs:{cluster}")


def _name(environment_id: str) -> str:
    return f"ecs:{ADDRESS.cluster_name(environment_id)}"


def _asked(
    environment_id: str, name: str, deploy_id: str, env_vars: Mapping[str, Mapping[str, str]], run_id: str
) -> tuple[object, ...]:
    values = {container: dict(each) for container, each in env_vars.items()}
    return environment_id, name, deploy_id, values, run_id
