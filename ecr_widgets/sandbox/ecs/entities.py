"""What this ECS knows, as plain records kept by `store`. Times are in seconds since the epoch; 0 means not yet.

Members called `given` are kept as they arrived, so that nothing in them is lost.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

from ecr_widgets.sandbox.workloads import records
from ecr_widgets.sandbox.workloads.task_definition import ContainerDefinition, TaskDefinition

Wire = dict[str, Any]
Tags = dict[str, str]

ACTIVE, DRAINING, INACTIVE = "ACTIVE", "DRAINING", "INACTIVE"
IN_PROGRESS, COMPLETED, FAILED = "IN_PROGRESS", "COMPLETED", "FAILED"


@dataclass
class Cluster:
    """One cluster."""

    name: str
    status: str = ACTIVE
    given: Wire = field(default_factory=dict)
    tags: Tags = field(default_factory=dict)


@dataclass
class Definition:
    """One revision of a task definition."""

    family: str
    revision: int
    given: Wire
    """What was registered, with all defaults."""
    status: str = ACTIVE
    tags: Tags = field(default_factory=dict)
    registered_at_s: float = field(default_factory=time.time)
    deregistered_at_s: float = 0.0
    delete_requested_at_s: float = 0.0

    @property
    def entity_id(self) -> str:
        return f"{self.family}:{self.revision}"


@dataclass
class Event:
    """One of a service's events."""

    event_id: str
    at_s: float
    text: str


@dataclass
class Rollout:
    """What ECS adds to a service's deployment."""

    deployment_key: str
    """Key of the service deployment that it belongs to."""
    revision_id: str
    """Id of the service revision that it runs."""
    state: str = IN_PROGRESS
    reason: str = ""
    failed_tasks: int = 0
    is_rollback: bool = False
    created_at_s: float = field(default_factory=time.time)
    updated_at_s: float = field(default_factory=time.time)


@dataclass(kw_only=True)
class Service(records.Service):
    """One service; its id is CLUSTER/NAME."""

    cluster: str
    name: str
    status: str = ACTIVE
    given: Wire = field(default_factory=dict)
    request: Wire = field(default_factory=dict)
    """What it was created with, to recognize a repeated request."""
    tags: Tags = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    rollouts: dict[str, Rollout] = field(default_factory=dict)
    created_at_s: float = field(default_factory=time.time)
    is_steady: bool = False
    completed_revision: str = ""
    """The last revision that was deployed completely, which a rollback returns to."""
    target_groups: list[str] = field(default_factory=list)
    registered: list[str] = field(default_factory=list)
    """Copies whose registration with their target groups is in the events."""

    @property
    def group(self) -> str:
        return f"service:{self.name}"

    def is_behind(self, load_balancer_id: str) -> bool:
        return load_balancer_id in self.target_groups

    def tell(self, text: str, *, since_s: float | None = None) -> None:
        """Add an event, unless the same one was added since that time."""
        if since_s is not None and any(each.text == text for each in self.events if each.at_s >= since_s):
            return
        self.events.insert(0, Event(records.new_id(), time.time(), text))
        del self.events[100:]


@dataclass
class Revision:
    """One service revision: what a deployment runs, and with which images."""

    revision_id: str
    service_id: str
    definition_id: str
    given: Wire
    images: dict[str, str] = field(default_factory=dict)
    created_at_s: float = field(default_factory=time.time)


@dataclass(kw_only=True)
class ServiceDeployment:
    """One service deployment: the move from some revisions to another, and back if it failed."""

    key: str
    service_id: str
    target: str
    """Id of the revision it deploys."""
    sources: list[str] = field(default_factory=list)
    status: str = "PENDING"
    status_reason: str = ""
    given: Wire = field(default_factory=dict)
    """The deployment configuration."""
    stage: str = ""
    stage_since_s: float = 0.0
    traffic_percent: float = 0.0
    """Share of production traffic that the target gets."""
    passed: list[str] = field(default_factory=list)
    """Stages whose hooks have let it continue."""
    hook: Wire = field(default_factory=dict)
    """The lifecycle hook last reached, as DescribeServiceDeployments shows it."""
    failures: int = 0
    """Consecutive failed tasks."""
    breaker: str = "DISABLED"
    rollback_reason: str = ""
    rollback_to: str = ""
    rollback_at_s: float = 0.0
    created_at_s: float = field(default_factory=time.time)
    started_at_s: float = 0.0
    finished_at_s: float = 0.0
    stopped_at_s: float = 0.0
    updated_at_s: float = field(default_factory=time.time)

    @property
    def is_over(self) -> bool:
        """Whether it has finished or was stopped."""
        return self.finished_at_s > 0 or self.stopped_at_s > 0


@dataclass(kw_only=True)
class Task(records.Task):
    """One task from RunTask; its id is its copy's."""

    cluster: str
    given: Wire = field(default_factory=dict)
    group: str = ""
    started_by: str = ""
    tags: Tags = field(default_factory=dict)

    def overridden(self, definition: TaskDefinition) -> TaskDefinition:
        given = (self.given.get("overrides") or {}).get("containerOverrides") or ()
        by_name = {each.get("name"): each for each in given}
        return replace(
            definition,
            containers=[_overridden(each, by_name.get(each.name, {})) for each in definition.containers],
        )


@dataclass
class Token:
    """A client token of RunTask, with its request and the tasks that were started."""

    entity_id: str
    """CLUSTER/TOKEN."""
    request: Wire
    tasks: list[str]
    failures: list[Wire]
    at_s: float = field(default_factory=time.time)


def _overridden(container: ContainerDefinition, given: Wire) -> ContainerDefinition:
    variables = {each["name"]: each.get("value", "") for each in given.get("environment") or ()}
    changed = container.with_environment(variables)
    if given.get("command"):
        changed = replace(changed, command=list(given["command"]))
    for name in ("cpu", "memory", "memoryReservation"):
        if given.get(name):
            changed = replace(changed, **{name: given[name]})
    return changed
