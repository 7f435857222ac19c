"""The state that all calls work on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ecr_widgets.sandbox.ecs.entities import (
    ACTIVE,
    INACTIVE,
    Cluster,
    Definition,
    Service,
    Tags,
    Task,
    Wire,
)
from ecr_widgets.sandbox.ecs.faults import EcsError, client_error, invalid
from ecr_widgets.sandbox.ecs.names import Names, definition_id, short
from ecr_widgets.sandbox.ecs.store import Store
from ecr_widgets.sandbox.ecs.target_groups import TargetGroups
from ecr_widgets.sandbox.neighbours import Neighbours
from ecr_widgets.sandbox.workloads.containers import Containers, Machine
from ecr_widgets.sandbox.workloads.records import Copy
from ecr_widgets.sandbox.workloads.scheduler import Scheduler

_KEPT_TASKS = 100
"""How many stopped tasks of RunTask are kept."""


@dataclass
class World:
    """One ECS."""

    names: Names
    store: Store
    scheduler: Scheduler
    containers: Containers
    target_groups: TargetGroups
    neighbours: Neighbours
    instance_id: str
    """The last part of the container instance's ARN."""

    @cached_property
    def machine(self) -> Machine:
        """The resources of the one container instance."""
        return self.containers.machine()

    def cluster(self, name_or_arn: str | None, *, active: bool = True) -> Cluster:
        """A cluster; `default` if none is named.

        Raises:
            EcsError: No such cluster, or it was deleted.
        """
        cluster = self.store.clusters.get(short(name_or_arn or "default"))
        if cluster is None:
            raise EcsError("ClusterNotFoundException", "Cluster not found.")
        if active and cluster.status != ACTIVE:
            raise EcsError("ClusterNotFoundException", "The referenced cluster was inactive.")
        return cluster

    def definition(self, name_or_arn: str) -> Definition:
        """A revision of a task definition; the newest active one if none is named.

        Raises:
            EcsError: No such task definition.
        """
        wanted = definition_id(name_or_arn)
        if ":" not in wanted:
            revisions = [
                each
                for each in self.store.definitions.values()
                if each.family == wanted and each.status == ACTIVE
            ]
            definition = max(revisions, key=lambda each: each.revision, default=None)
        else:
            definition = self.store.definitions.get(wanted)
        if definition is None:
            raise client_error("Unable to describe task definition.")
        return definition

    def usable_definition(self, name_or_arn: str) -> Definition:
        """A revision of a task definition that new tasks may run.

        Raises:
            EcsError: No such task definition, or it is inactive.
        """
        try:
            definition = self.definition(name_or_arn)
        except EcsError as error:
            raise client_error("TaskDefinition not found.") from error
        if definition.status != ACTIVE:
            raise client_error("TaskDefinition is inactive")
        return definition

    def service(self, cluster: Cluster, name_or_arn: str) -> Service:
        """A service, whatever its status.

        Raises:
            EcsError: No such service.
        """
        service = self.store.services.get(f"{cluster.name}/{short(name_or_arn)}")
        if service is None:
            raise EcsError("ServiceNotFoundException", "Service not found.")
        return service

    def services_of(self, cluster: Cluster) -> list[Service]:
        """The services in a cluster that have not been deleted."""
        return [
            each
            for each in self.store.services.values()
            if each.cluster == cluster.name and each.status != INACTIVE
        ]

    def copies(self, cluster: Cluster) -> Iterator[tuple[Service | Task, Copy]]:
        """All ECS tasks in a cluster and what they belong to, including those that stopped a while ago."""
        for owner in self.store.owners():
            if owner.cluster == cluster.name:
                for copy in owner.copies:
                    yield owner, copy

    def find_copy(self, cluster: Cluster, name_or_arn: str) -> tuple[Service | Task, Copy] | None:
        wanted = short(name_or_arn)
        return next((pair for pair in self.copies(cluster) if task_id(pair[1]) == wanted), None)

    def forget_old_tasks(self) -> None:
        """Forget those tasks of RunTask that stopped longest ago."""
        stopped = [each for each in self.store.tasks.values() if each.copy.stopped_at_s]
        for task in stopped[:-_KEPT_TASKS]:
            self.store.remove(task)
            self.scheduler.spawn(self.scheduler.remove([task.copy]))


Action = Callable[[World, Wire], Any]


def task_id(copy: Copy) -> str:
    """The last part of a task's ARN."""
    return copy.copy_id.replace("-", "")


def tags_of(given: Wire, *, beside: Tags | None = None) -> Tags:
    """The tags in a request, added to those that a resource has already.

    Raises:
        EcsError: There are too many.
    """
    tags = dict(beside or {})
    tags |= {each.get("key", ""): each.get("value", "") for each in given.get("tags") or ()}
    if len(tags) > 50:
        raise invalid("Too many tags: a resource has 50 at the most.")
    return tags


def tags_shown(tags: Tags) -> list[Wire]:
    """Tags as ECS returns them."""
    return [{"key": key, "value": value} for key, value in tags.items()]
