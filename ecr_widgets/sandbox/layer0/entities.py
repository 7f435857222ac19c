"""What stands in this Layer0, as plain records; `store` keeps them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

from ecr_widgets.sandbox.layer0.identifiers import now
from ecr_widgets.sandbox.layer0.integers import Int64


class Status(StrEnum):
    """Where a container is, in ECS's words."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    STOPPED = "STOPPED"


class JobType(IntEnum):
    """What a job does."""

    DELETE_ENVIRONMENT = 1
    DELETE_SERVICE = 2
    DELETE_LOAD_BALANCER = 3
    CREATE_TASK = 5


class JobStatus(IntEnum):
    """Where a job is."""

    PENDING = 1
    IN_PROGRESS = 2
    COMPLETED = 3
    ERROR = 4


@dataclass
class Environment:
    """One environment."""

    environment_id: str
    name: str
    operating_system: str = "linux"
    instance_size: str = "m3.medium"
    ami_id: str = "ami-00000000"
    security_group_id: str = "sg-00000000000000000"
    min_count: int = 0
    max_count: int = 0
    links: list[str] = field(default_factory=list)
    seeded: bool = False
    """Whether it stands from the start and nothing was done in it or with it yet."""


@dataclass
class Deploy:
    """One stored Dockerrun. A deleted one stays for the services that run it, and so that no version is reused."""

    deploy_id: str
    name: str
    version: int
    document: bytes
    """What Layer0 hands back."""
    containers: list[dict[str, Any]]
    """Container definitions, member names in camelCase."""
    volumes: list[dict[str, Any]] = field(default_factory=list)
    deleted: bool = False


@dataclass
class Container:
    """One container of a copy, as ECS tells of it."""

    name: str
    essential: bool
    docker_id: str | None = None
    status: Status = Status.PENDING
    exit_code: int = 0
    reason: str = ""
    ports: dict[int, int] = field(default_factory=dict)
    """Port on the instance, that is the mapping's hostPort, to the port of 127.0.0.1 that stands for it."""


@dataclass
class Copy:
    """One ECS task: the containers of a deploy that live and die together."""

    copy_id: str
    deploy_id: str
    containers: list[Container]
    deployment_id: str = ""
    """Empty for a task of its own."""
    reason: str = ""
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
    """A service's move to one deploy."""

    deployment_id: str
    deploy_id: str
    created: str = field(default_factory=now)
    updated: str = field(default_factory=now)
    images: dict[str, str] = field(default_factory=dict)
    """Image as the deploy names it to the reference that cannot move: ECS resolves a tag once a deployment."""
    events: list[str] = field(default_factory=list)
    stopped_reasons: list[str] = field(default_factory=list)
    failures: int = 0
    """Copies that ended soon after their start, in a row."""
    steady: bool = False


@dataclass
class Service:
    """One service; the first deployment is the primary one."""

    service_id: str
    name: str
    environment_id: str
    load_balancer_id: str = ""
    desired_count: int = 1
    deployments: list[Deployment] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    deleting: bool = False
    built_in: bool = False


@dataclass
class Task:
    """One run of a deploy."""

    task_id: str
    name: str
    environment_id: str
    deploy_id: str
    copy: Copy
    overrides: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass
class Job:
    """Background work; `task_id` names the task that Layer0 would run it in."""

    job_id: str
    job_type: JobType
    request: str
    task_id: str
    status: JobStatus = JobStatus.PENDING
    meta: dict[str, str] | None = None
    created: str = field(default_factory=now)
    created_at_s: float = field(default_factory=time.time)
    log: list[str] = field(default_factory=list)


@dataclass
class Port:
    """One listener of a load balancer, in Layer0's words."""

    certificate_name: str = ""
    certificate_arn: str = ""
    container_port: Int64 = 0
    """On the instance: equals a mapping's hostPort."""
    host_port: Int64 = 0
    """That clients would connect to on AWS."""
    protocol: str = ""
    listening_port: int = 0
    """On 127.0.0.1, which stands for the host port here."""


@dataclass
class HealthCheck:
    """How a load balancer looks after its targets; times in seconds."""

    target: str = ""
    interval: Int64 = 0
    timeout: Int64 = 0
    healthy_threshold: Int64 = 0
    unhealthy_threshold: Int64 = 0


@dataclass
class LoadBalancer:
    """One load balancer."""

    load_balancer_id: str
    name: str
    environment_id: str
    is_public: bool = False
    ports: list[Port] = field(default_factory=list)
    health_check: HealthCheck = field(default_factory=HealthCheck)
    idle_timeout: int = 60
    cross_zone: bool = False
    built_in: bool = False
