"""What is wanted, and its current state: plain records that a front keeps, and may add members to."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

from ecr_widgets.sandbox.workloads.task_definition import Int64, TaskDefinition


def now() -> str:
    """The current time, in the records' format."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def new_id() -> str:
    """A unique id."""
    return str(uuid.uuid4())


class Status(StrEnum):
    """A container's status, in ECS's words."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    STOPPED = "STOPPED"


@dataclass
class Container:
    """One container of a copy, as ECS shows it."""

    name: str
    essential: bool
    docker_id: str | None = None
    image: str = ""
    """What it runs, as a reference that cannot move: with the image's digest if it is from a registry."""
    status: Status = Status.PENDING
    exit_code: int = 0
    reason: str = ""
    ports: dict[int, int] = field(default_factory=dict)
    """Maps a port on the instance (the mapping's hostPort) to the port on 127.0.0.1 where it is published."""
    health: str = ""
    """The result of its health check, in Docker's words: starting, healthy, unhealthy; empty if it has none."""

    @property
    def image_digest(self) -> str | None:
        """The image's digest in its registry; None if it is only on the engine."""
        return self.image.partition("@")[2] or None


@dataclass
class Copy:
    """One ECS task: the containers of a task definition that live and die together."""

    definition_id: str
    containers: list[Container]
    deployment_id: str = ""
    """Empty if it does not belong to a service."""
    copy_id: str = field(default_factory=new_id)
    graces_s: dict[str, int] = field(default_factory=dict)
    """How long each container may take to end when asked to, in seconds."""
    network_id: str | None = None
    """Docker id of the container that holds its containers' shared network; None if each has its own."""
    reason: str = ""
    """Why it ended or is being stopped."""
    stop_code: str = ""
    """The reason as one of ECS's stop codes."""
    stopping: bool = False
    draining: bool = False
    """Whether it is being taken out of its load balancer before it is stopped."""
    accounted: bool = False
    """Whether its deployment has counted its end."""
    launched_at_s: float = field(default_factory=time.time)
    """In seconds since the epoch, like all times of a copy; 0 means not yet."""
    pull_started_at_s: float = 0.0
    pull_stopped_at_s: float = 0.0
    started_at_s: float = 0.0
    stopping_at_s: float = 0.0
    stopped_at_s: float = 0.0

    @property
    def status(self) -> Status:
        """STOPPED when all containers are stopped; RUNNING when none is pending."""
        states = {container.status for container in self.containers}
        if states == {Status.STOPPED}:
            return Status.STOPPED
        return Status.PENDING if Status.PENDING in states else Status.RUNNING

    @property
    def health(self) -> str:
        """The health of its essential containers, in ECS's words: UNKNOWN if none has a health check."""
        states = {each.health for each in self.containers if each.essential and each.health}
        if "unhealthy" in states:
            return "UNHEALTHY"
        return "HEALTHY" if states == {"healthy"} else "UNKNOWN"

    def take_time(self) -> None:
        """Record when it stopped, if it has."""
        if self.status == Status.STOPPED and not self.stopped_at_s:
            self.stopped_at_s = time.time()
            self.stopping_at_s = self.stopping_at_s or self.stopped_at_s


@dataclass
class Deployment:
    """A service's move to one task definition."""

    definition_id: str
    deployment_id: str = field(default_factory=lambda: f"ecs-svc/{secrets.randbelow(10**19):019d}")
    created: str = field(default_factory=now)
    updated: str = field(default_factory=now)
    images: dict[str, str] = field(default_factory=dict)
    """Maps an image's name in the definition to a reference that cannot move: ECS resolves a tag once per deployment."""
    stopped_reasons: list[str] = field(default_factory=list)
    failures: int = 0
    """Consecutive copies that ended soon after starting."""
    given_up: bool = False
    """Whether to start nothing more for it."""
    may_start: bool = True
    """Whether its copies may be started yet."""
    may_replace: bool = True
    """Whether other deployments' copies may be stopped for it yet."""


@dataclass(kw_only=True)
class Service:
    """Copies that are kept running; the first deployment is the primary one, the others are being replaced."""

    service_id: str
    load_balancer_id: str = ""
    desired_count: int = 1
    deployments: list[Deployment] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    least_percent: int = 100
    """Least percentage of the desired count that stays ready while a deployment replaces others; rounded up."""
    most_percent: int | None = None
    """Most copies at the same time, as a percentage of the desired count; rounded down. None for any number."""
    deleting: bool = False
    built_in: bool = False
    """Whether it is part of the front itself, so that nothing is run for it."""

    @property
    def copies_alive(self) -> list[Copy]:
        """The copies that are neither stopped nor being stopped."""
        return [copy for copy in self.copies if copy.status != Status.STOPPED and not copy.stopping]

    def is_behind(self, load_balancer_id: str) -> bool:
        """Whether its copies are targets of a load balancer."""
        return bool(load_balancer_id) and self.load_balancer_id == load_balancer_id


@dataclass(kw_only=True)
class Task:
    """One run of a task definition."""

    task_id: str
    copy: Copy
    overrides: dict[str, dict[str, str]] = field(default_factory=dict)
    """Environment variables by container."""

    @property
    def copies(self) -> list[Copy]:
        return [self.copy]

    def overridden(self, definition: TaskDefinition) -> TaskDefinition:
        """What it runs: the definition with its overrides applied."""
        return replace(
            definition,
            containers=[
                each.with_environment(self.overrides.get(each.name, {})) for each in definition.containers
            ],
        )


@dataclass
class Port:
    """One listener of a load balancer."""

    certificate_name: str = ""
    certificate_arn: str = ""
    container_port: Int64 = 0
    """Port on the instance: equals a mapping's hostPort."""
    host_port: Int64 = 0
    """Port that clients would connect to on AWS."""
    protocol: str = ""
    listening_port: int = 0
    """Port on 127.0.0.1 that is used instead of the host port."""


@dataclass
class HealthCheck:
    """How a load balancer checks its targets; times in seconds."""

    target: str = ""
    interval: Int64 = 0
    timeout: Int64 = 0
    healthy_threshold: Int64 = 0
    unhealthy_threshold: Int64 = 0


@dataclass(kw_only=True)
class LoadBalancer:
    """One load balancer; its services' copies are its targets."""

    load_balancer_id: str
    ports: list[Port] = field(default_factory=list)
    health_check: HealthCheck = field(default_factory=HealthCheck)
    idle_timeout: int = 60
    success_codes: str = "200"
    """HTTP statuses that pass a health check: `200`, `200,302`, `200-399`."""


class Records(Protocol):
    """What a front keeps, by id. Changes to a record are saved before anybody sees them."""

    @property
    def services(self) -> Mapping[str, Service]: ...

    @property
    def tasks(self) -> Mapping[str, Task]: ...

    @property
    def load_balancers(self) -> Mapping[str, LoadBalancer]: ...

    def task_definition(self, definition_id: str) -> TaskDefinition:
        """What to run; also available for a definition that has been deleted."""

    def save_changes(self, record: Service | Task | LoadBalancer) -> None:
        """Save a record's current state; one that has been removed stays removed."""
