"""Layer0's entities as the kit uses them; wire names are translated in the adapter only."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum

from ecr_widgets.errors import InputError

_DEPLOY_NAME = re.compile(r"[A-Za-z0-9_-]{1,200}", re.ASCII)


class JobState(IntEnum):
    """State of a Layer0 job; the value is the wire's `job_status`."""

    PENDING = 1
    IN_PROGRESS = 2
    COMPLETED = 3
    ERROR = 4


@dataclass(frozen=True, slots=True)
class Environment:
    """A Layer0 environment; all but id and name only where it was read by its id."""

    environment_id: str
    name: str
    operating_system: str = ""
    cluster_count: int = 0
    min_count: int = 0
    max_count: int = 0
    instance_size: str = ""
    links: tuple[str, ...] = ()
    """Ids of environments; the real server reports only the last one."""


@dataclass(frozen=True, slots=True)
class Deploy:
    """A stored Dockerrun. `dockerrun` is None where only a listing was read."""

    deploy_id: str
    name: str
    version: int
    dockerrun: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Deployment:
    """A service's move to one deploy."""

    deployment_id: str
    deploy_id: str
    status: str
    desired_count: int
    running_count: int
    pending_count: int
    created_at: datetime
    events: tuple[str, ...] = ()
    """What the scheduler said, if the server reports it (an addition of some servers)."""
    stopped_reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Service:
    """A Layer0 service: copies of one deploy kept running."""

    service_id: str
    name: str
    environment_id: str
    desired_count: int
    running_count: int
    pending_count: int
    deployments: tuple[Deployment, ...] = ()
    load_balancer_id: str | None = None

    @property
    def primary(self) -> Deployment | None:
        """The deployment that the service runs or moves to; None if it has none."""
        return next((d for d in self.deployments if d.status == "PRIMARY"), None)


@dataclass(frozen=True, slots=True)
class Summary:
    """A service, task or load balancer as lists show it; names are empty if the server has lost its tags."""

    entity_id: str
    name: str
    environment_id: str
    environment: str


@dataclass(frozen=True, slots=True)
class TaskContainer:
    """One container of a task. `exit_code` is None until it stopped."""

    name: str
    last_status: str
    exit_code: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Task:
    """One run of a deploy."""

    task_id: str
    name: str
    environment_id: str
    deploy_id: str
    running_count: int
    pending_count: int
    reason: str
    containers: tuple[TaskContainer, ...]

    @property
    def is_stopped(self) -> bool:
        """Whether no copy runs or waits to run, by the counts and by what each container says."""
        return (
            self.running_count == 0
            and self.pending_count == 0
            and all(each.last_status in ("", "STOPPED") or each.reason for each in self.containers)
        )


@dataclass(frozen=True, slots=True)
class Job:
    """Work that Layer0 does in the background."""

    job_id: str
    state: JobState
    meta: tuple[tuple[str, str], ...] = ()
    runner_task_id: str = ""
    """The task whose log says what the job did."""
    request: str = field(default="", repr=False)
    """What it works on: an entity's id, or a task's whole request as JSON, with values that may be secret."""

    @property
    def task_id(self) -> str | None:
        """Id of the task that the job created, once known."""
        return dict(self.meta).get("task_id") or dict(self.meta).get("task_0")


@dataclass(frozen=True, slots=True)
class ContainerLog:
    """Log lines of one container."""

    name: str
    lines: tuple[str, ...]


def check_deploy_name(name: str) -> str:
    """Give back a name that Layer0 and ECS accept for a deploy.

    Raises:
        InputError: Layer0 or ECS would refuse it.
    """
    if not _DEPLOY_NAME.fullmatch(name):
        raise InputError(
            f"deploy name {name!r} refused: Layer0 makes a task definition family of it",
            hint="use letters, digits, - and _ only",
        )
    return name


def check_entity_name(name: str, *, kind: str) -> str:
    """Give back a name that can be addressed later: not empty, no space around it, no colon, star, slash or control
    character.

    Raises:
        InputError: The name could be created but not addressed again, or is empty.
    """
    if (
        not name.strip()
        or name != name.strip()
        or any(mark in ":*/\\" or not mark.isprintable() for mark in name)
    ):
        raise InputError(
            f"{kind} name {name!r} refused: it could not be addressed again",
            hint="leave out : * / \\ and spaces around it",
        )
    return name
