"""What is wanted and what became of it: plain records that a front keeps, and may add members to."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

from ecr_widgets.sandbox.workloads.task_definition import Int64, TaskDefinition


def now() -> str:
    """The time, as the records keep it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


class Status(StrEnum):
    """Where a container is, in ECS's words."""

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
    """What runs, by a reference that cannot move: with the image's digest where a registry gave it."""
    status: Status = Status.PENDING
    exit_code: int = 0
    reason: str = ""
    ports: dict[int, int] = field(default_factory=dict)
    """Port on the instance, that is the mapping's hostPort, to the port of 127.0.0.1 that it is published at."""

    @property
    def image_digest(self) -> str | None:
        """Digest of the image in its registry; None where it is on the engine alone."""
        return self.image.partition("@")[2] or None


@dataclass
class Copy:
    """One ECS task: the containers of a task definition that live and die together."""

    definition_id: str
    containers: list[Container]
    deployment_id: str = ""
    """Empty for a task of its own."""
    copy_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    reason: str = ""
    """Why it ended, or is being stopped."""
    stopping: bool = False
    accounted: bool = False
    """Whether its end was added to its deployment's account."""
    launched_at_s: float = field(default_factory=time.time)
    """Seconds since the epoch."""

    @property
    def status(self) -> Status:
        """STOPPED once all containers are; RUNNING once none is pending."""
        states = {container.status for container in self.containers}
        if states == {Status.STOPPED}:
            return Status.STOPPED
        return Status.PENDING if Status.PENDING in states else Status.RUNNING


@dataclass
class Deployment:
    """A service's move to one task definition."""

    definition_id: str
    deployment_id: str = field(default_factory=lambda: f"ecs-svc/{secrets.randbelow(10**19):019d}")
    created: str = field(default_factory=now)
    updated: str = field(default_factory=now)
    images: dict[str, str] = field(default_factory=dict)
    """Image as the definition names it to the reference that cannot move: ECS resolves a tag once a deployment."""
    stopped_reasons: list[str] = field(default_factory=list)
    failures: int = 0
    """Copies that ended soon after their start, in a row."""


@dataclass(kw_only=True)
class Service:
    """Copies that are kept running; the first deployment is the primary one, the others are being replaced."""

    service_id: str
    load_balancer_id: str = ""
    desired_count: int = 1
    deployments: list[Deployment] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    deleting: bool = False
    built_in: bool = False
    """Whether it is part of the front itself, for which nothing is run."""

    @property
    def copies_alive(self) -> list[Copy]:
        """Those that neither stopped nor are about to."""
        return [copy for copy in self.copies if copy.status != Status.STOPPED and not copy.stopping]


@dataclass(kw_only=True)
class Task:
    """One run of a task definition."""

    task_id: str
    copy: Copy
    overrides: dict[str, dict[str, str]] = field(default_factory=dict)
    """Environment variables by container."""

    @property
    def copies(self) -> list[Copy]:
        """Its only one."""
        return [self.copy]


@dataclass
class Port:
    """One listener of a load balancer."""

    certificate_name: str = ""
    certificate_arn: str = ""
    container_port: Int64 = 0
    """On the instance: equals a mapping's hostPort."""
    host_port: Int64 = 0
    """That clients would connect to on AWS."""
    protocol: str = ""
    listening_port: int = 0
    """On 127.0.0.1, in place of the host port."""


@dataclass
class HealthCheck:
    """How a load balancer looks after its targets; times in seconds."""

    target: str = ""
    interval: Int64 = 0
    timeout: Int64 = 0
    healthy_threshold: Int64 = 0
    unhealthy_threshold: Int64 = 0


@dataclass(kw_only=True)
class LoadBalancer:
    """One load balancer: its services' copies are its targets."""

    load_balancer_id: str
    ports: list[Port] = field(default_factory=list)
    health_check: HealthCheck = field(default_factory=HealthCheck)
    idle_timeout: int = 60


class Records(Protocol):
    """What a front keeps: all of it by id. Changes of a record are saved before anybody sees them."""

    @property
    def services(self) -> Mapping[str, Service]: ...

    @property
    def tasks(self) -> Mapping[str, Task]: ...

    @property
    def load_balancers(self) -> Mapping[str, LoadBalancer]: ...

    def task_definition(self, definition_id: str) -> TaskDefinition:
        """What to run, also of one that was deleted since."""

    def save_changes(self, record: Service | Task | LoadBalancer) -> None:
        """Keep a record as it is now; one that was removed meanwhile stays removed."""
