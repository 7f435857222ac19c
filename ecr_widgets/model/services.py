"""Entities common to all deploy targets; what a target does not report stays empty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Dialect(StrEnum):
    """Which of the two kinds of document a target stores; the value is the name shown to people."""

    LAYER0 = "Layer0"
    """A Dockerrun."""
    ECS = "ECS"
    """A task definition."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where services run: an environment in Layer0, a cluster elsewhere."""

    environment_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Deploy:
    """A stored, versioned document that describes containers. `dockerrun` is None if only a listing was read."""

    deploy_id: str
    name: str
    version: int
    dockerrun: bytes | None = field(default=None, repr=False)
    is_active: bool = True
    """Whether it can still be deployed: ECS keeps running what was deregistered, but starts nothing new from it."""


@dataclass(frozen=True, slots=True)
class DeployLimits:
    """How many of a name's newest deploys a target lists."""

    of_each: int
    """For each name, when all are listed."""
    of_one: int
    """When one name's are listed."""


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
    """What the scheduler said, if the server reports it (only some do)."""
    stopped_reasons: tuple[str, ...] = ()
    state: str = ""
    """State of its rollout, such as `COMPLETED` or `FAILED`; empty if the target does not say."""
    reason: str = ""
    """Why it is in that state."""
    failed_count: int = 0
    """Copies that were started and failed; 0 if the target does not count them."""
    stage: str = ""
    """Stage of the rollout, such as `BAKE_TIME`; empty if it has no stages."""
    hook_id: str = ""
    """The pause where the rollout waits until somebody continues it; empty if it is not waiting."""
    traffic_percent: float | None = None
    """Share of production traffic that a staged rollout has given it; None if the target does not say."""

    @property
    def traffic(self) -> str:
        """That share for people; empty if the rollout is in no stage, or the share is unknown."""
        is_known = self.stage and self.traffic_percent is not None
        return f"{self.traffic_percent:g} % of the traffic" if is_known else ""


@dataclass(frozen=True, slots=True)
class Scaling:
    """The bounds that auto scaling keeps a service's number of copies within."""

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
    """None if nothing scales it automatically, or the target does not say."""
    refused: str = ""
    """Why this kit must not move it to another deploy; empty if it may."""

    @property
    def primary(self) -> Deployment | None:
        """The deployment that the service runs or moves to; None if it has none."""
        return next((d for d in self.deployments if d.status == "PRIMARY"), None)


@dataclass(frozen=True, slots=True)
class Summary:
    """A service, task or load balancer as shown in lists; names are empty if the server has lost its tags."""

    entity_id: str
    name: str
    environment_id: str
    environment: str


@dataclass(frozen=True, slots=True)
class TaskContainer:
    """One container of a task. `exit_code` is None until it has stopped."""

    name: str
    last_status: str
    exit_code: int | None
    reason: str
    image_digest: str | None = None
    """Digest of the image it runs; None if the target does not say."""
    essential: bool = True
    """Whether the task ends when it does."""


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
    """Whether somebody or the target stopped it, whatever its containers' exit codes are."""

    @property
    def is_stopped(self) -> bool:
        """Whether no copy runs or waits to run, by the counts and by each container's state."""
        return (
            self.running_count == 0
            and self.pending_count == 0
            and all(each.last_status in ("", "STOPPED") or each.reason for each in self.containers)
        )


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """What became of a request to start a task."""

    request_id: str
    label: str
    """For people, such as `job 1a2b`."""
    state: str
    """For people, such as `in progress`."""
    task_id: str | None
    """None until the task is started."""
    is_over: bool = False
    """Whether nothing more will come of it."""
    reasons: tuple[str, ...] = ()
    """Why it ended without a task, newest last."""
    hint: str = ""
    """Where to read more about that."""


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of a service."""

    copy_id: str
    deployment_id: str
    deploy_id: str
    status: str
    """Such as `RUNNING`."""
    health: str
    """Such as `HEALTHY`; empty if nothing checks it."""
    started_at: datetime | None
    containers: tuple[TaskContainer, ...]
    reason: str = ""
    """Why it stopped."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A saved run that verified by digest that a service ran a deploy."""

    at: datetime
    actor: str
    """Who ran it; empty if it was not run by our engine."""


@dataclass(frozen=True, slots=True)
class ContainerLog:
    """Log lines of one container."""

    name: str
    lines: tuple[str, ...]
    copy_id: str = ""
    """Which copy's log it is; empty if the target does not say."""
    times: tuple[datetime, ...] = ()
    """Time of each line; empty if the target reports none."""


Settings = Mapping[str, Any]
"""How a service is run, in the form of ECS's CreateService request."""

FIXED_SETTINGS = frozenset(("deploymentController", "launchType", "role", "schedulingStrategy", "tags"))
"""Settings that are given only once, when a service is created. UpdateService accepts none of them but the controller, which
decides who runs the service's deployments: too much to change in passing."""
