"""What stands in this Layer0: entities and their tags, in memory."""

from __future__ import annotations

import hashlib
import itertools
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

ID_LENGTH = 12
_clock = itertools.count()


def now() -> str:
    """The time as Layer0 writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def entity_id(name: str) -> str:
    """An id as Layer0 makes it: up to seven characters of the name, filled up with hexadecimal digits."""
    stem = re.sub(r"[^A-Za-z0-9]", "", name)[:7]
    return (stem + hashlib.md5(f"{time.time_ns()}{next(_clock)}".encode()).hexdigest())[:ID_LENGTH]


@dataclass
class Environment:
    """One environment."""

    environment_id: str
    name: str
    operating_system: str = "linux"


@dataclass
class Deploy:
    """One stored Dockerrun; `document` is what Layer0 hands back."""

    deploy_id: str
    name: str
    version: int
    document: bytes
    containers: list[dict[str, Any]]


@dataclass
class Container:
    """One container of a copy, as ECS tells of it."""

    name: str
    essential: bool
    docker_id: str | None = None
    status: str = "PENDING"
    exit_code: int = 0
    reason: str = ""


@dataclass
class Copy:
    """One ECS task: the containers of a deploy that live and die together."""

    copy_id: str
    deploy_id: str
    containers: list[Container]
    reason: str = ""
    started_s: float = field(default_factory=time.monotonic)
    counted: bool = False
    """Whether its stop reason was added to the deployment."""

    @property
    def status(self) -> str:
        """PENDING, RUNNING or STOPPED."""
        states = {container.status for container in self.containers}
        if states == {"STOPPED"}:
            return "STOPPED"
        return "RUNNING" if "PENDING" not in states else "PENDING"


@dataclass
class Deployment:
    """A service's move to one deploy."""

    deployment_id: str
    deploy_id: str
    created: str = field(default_factory=now)
    updated: str = field(default_factory=now)
    stopped_reasons: list[str] = field(default_factory=list)
    retry_at_s: float = 0.0


@dataclass
class Service:
    """One service; the first deployment is the primary one."""

    service_id: str
    name: str
    environment_id: str
    desired_count: int = 1
    deployments: list[Deployment] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)


@dataclass
class Task:
    """One run of a deploy."""

    task_id: str
    name: str
    environment_id: str
    deploy_id: str
    copy: Copy
    overrides: dict[str, dict[str, str]]


@dataclass
class Job:
    """Background work."""

    job_id: str
    job_type: int
    request: str
    status: int = 1
    meta: dict[str, str] | None = None
    created: str = field(default_factory=now)


class Store:
    """All entities by id, and the tags that names are resolved by."""

    def __init__(self) -> None:
        self.environments: dict[str, Environment] = {"api": Environment("api", "api")}
        self.deploys: dict[str, Deploy] = {}
        self.services: dict[str, Service] = {}
        self.tasks: dict[str, Task] = {}
        self.jobs: dict[str, Job] = {}
        self.last_version: dict[str, int] = {}
        """Highest version of a deploy name ever given out: none is given twice."""

    def tags(self, kind: str) -> dict[str, dict[str, str]]:
        """Tags by entity id."""
        if kind == "environment":
            return {
                e.environment_id: {"name": e.name, "os": e.operating_system}
                for e in self.environments.values()
            }
        if kind == "deploy":
            return {d.deploy_id: {"name": d.name, "version": str(d.version)} for d in self.deploys.values()}
        if kind == "service":
            return {
                s.service_id: {"name": s.name, "environment_id": s.environment_id}
                for s in self.services.values()
            }
        if kind == "task":
            return {
                t.task_id: {"name": t.name, "environment_id": t.environment_id, "deploy_id": t.deploy_id}
                for t in self.tasks.values()
            }
        if kind == "job":
            return {j.job_id: {"task_id": j.job_id} for j in self.jobs.values()}
        return {}
