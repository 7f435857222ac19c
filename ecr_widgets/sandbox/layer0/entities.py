"""What this Layer0 knows, as plain records kept by `store`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from ecr_widgets.sandbox.workloads import records
from ecr_widgets.sandbox.workloads.records import now


class JobType(IntEnum):
    """What kind of work a job does."""

    DELETE_ENVIRONMENT = 1
    DELETE_SERVICE = 2
    DELETE_LOAD_BALANCER = 3
    CREATE_TASK = 5


class JobStatus(IntEnum):
    """The status of a job."""

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
    """Whether it exists from the start and has not been used yet."""


@dataclass
class Deploy:
    """One stored Dockerrun. A deleted one is kept for services that run it, and so that no version is reused."""

    deploy_id: str
    name: str
    version: int
    document: bytes
    """The document as Layer0 returns it."""
    containers: list[dict[str, Any]]
    """Container definitions, with member names in camelCase."""
    volumes: list[dict[str, Any]] = field(default_factory=list)
    deleted: bool = False


@dataclass(kw_only=True)
class Service(records.Service):
    """One service."""

    name: str
    environment_id: str


@dataclass(kw_only=True)
class Task(records.Task):
    """One run of a deploy."""

    name: str
    environment_id: str


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
    log: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class LoadBalancer(records.LoadBalancer):
    """One load balancer."""

    name: str
    environment_id: str
    is_public: bool = False
    cross_zone: bool = False
    built_in: bool = False
