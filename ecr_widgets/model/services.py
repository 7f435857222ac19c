"""Entities that every deploy target has; what a target does not report stays empty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Dialect(StrEnum):
    """Which of the two documents a target stores; the value is its name for people."""

    LAYER0 = "Layer0"
    """A Dockerrun."""
    ECS = "ECS"
    """A task definition."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where services run: an environment of Layer0, a cluster elsewhere."""

    environment_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Deploy:
    """A stored, versioned document of containers. `dockerrun` is None where only a listing was read."""

    deploy_id: str
    name: str
    version: int
    dockerrun: bytes | None = field(default=None, repr=False)
    is_active: bool = True
    """Whether it can still be deployed: ECS keeps running what was deregistered, and starts nothing new of it."""


@dataclass(frozen=True, slots=True)
class DeployLimits:
    """How many of the newest deploys of a name a target lists."""

    of_each: int
    """Of each name, where all are listed."""
    of_one: int
    """Where those of one name are listed."""


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
    state: str = ""
    """Of its rollout, such as `COMPLETED` or `FAILED`; empty where the target does not say."""
    reason: str = ""
    """Why it is in that state."""
    failed_count: int = 0
    """Copies that were started and failed; 0 where the target does not count them."""
    stage: str = ""
    """Of a rollout in stages, such as `BAKE_TIME`; empty where it has none."""
    hook_id: str = ""
    """The pause that the rollout waits at until somebody lets it go on; empty where it waits at none."""
    traffic_percent: float | None = None
    """Share of the production traffic that a rollout in stages has given it; None where the target does not say."""

    @property
    def traffic(self) -> str:
        """That share for people; empty where the rollout is in no stage, or nobody says."""
        is_known = self.stage and self.traffic_percent is not None
        return f"{self.traffic_percent:g} % of the traffic" if is_known else ""


@dataclass(frozen=True, slots=True)
class Scaling:
    """The bounds within which auto scaling keeps a service's number of copies."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Service:
    """Copies of one deploy kept running."""

    service_id: str
    name: str
    environment_id: str
    desired_count: int
    running_count: int
    pending_count: int
    deployments: tuple[Deployment, ...] = ()
    load_balancer_id: str | None = None
    scaling: Scaling | None = None
    """None where nothing scales it by itself, or the target does not say."""
    refused: str = ""
    """Why this kit must not move it to another deploy; empty where it may."""

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
    image_digest: str | None = None
    """What it runs; None where the target does not say."""
    essential: bool = True
    """Whether its end is the task's."""


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
    was_cut_short: bool = False
    """Whether somebody or the target stopped it, whatever exit codes its containers left."""

    @property
    def is_stopped(self) -> bool:
        """Whether no copy runs or waits to run, by the counts and by what each container says."""
        return (
            self.running_count == 0
            and self.pending_count == 0
            and all(each.last_status in ("", "STOPPED") or each.reason for each in self.containers)
        )


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """What became of the request to start a task."""

    request_id: str
    label: str
    """For people, such as `job 1a2b`."""
    state: str
    """For people, such as `in progress`."""
    task_id: str | None
    """None until the task was started."""
    is_over: bool = False
    """Whether nothing more will come of it."""
    reasons: tuple[str, ...] = ()
    """Why it ended without a task, newest last."""
    hint: str = ""
    """Where to read more of that."""


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of a service."""

    copy_id: str
    deployment_id: str
    deploy_id: str
    status: str
    """Such as `RUNNING`."""
    health: str
    """Such as `HEALTHY`; empty where nothing checks it."""
    started_at: datetime | None
    containers: tuple[TaskContainer, ...]
    reason: str = ""
    """Why it stopped."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A saved run that verified by digest that a service ran a deploy."""

    at: datetime
    actor: str
    """Who ran it; empty where no engine of ours did."""


@dataclass(frozen=True, slots=True)
class ContainerLog:
    """Log lines of one container."""

    name: str
    lines: tuple[str, ...]
    copy_id: str = ""
    """Whose; empty where the target does not say."""
    times: tuple[datetime, ...] = ()
    """Of each line; empty where the target tells none."""


Settings = Mapping[str, Any]
"""How a service is run, in the form of ECS's CreateService."""

FIXED_SETTINGS = frozenset(("deploymentController", "launchType", "role", "schedulingStrategy", "tags"))
"""Settings that are given once, when a service is created. UpdateService takes none of them but the controller, which is whose
deployments those of the service are: that is not changed in passing."""
