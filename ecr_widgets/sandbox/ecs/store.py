"""All that this ECS knows."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from ecr_widgets.sandbox.ecs.definitions import runnable
from ecr_widgets.sandbox.ecs.entities import (
    Cluster,
    Definition,
    Revision,
    Service,
    ServiceDeployment,
    Task,
    Token,
)
from ecr_widgets.sandbox.entity_store import EntityStore
from ecr_widgets.sandbox.workloads.records import LoadBalancer
from ecr_widgets.sandbox.workloads.task_definition import TaskDefinition

Entity = Cluster | Definition | Service | Revision | ServiceDeployment | Task | Token
_IDS: dict[type[Any], str] = {
    Cluster: "name",
    Definition: "entity_id",
    Service: "service_id",
    Revision: "revision_id",
    ServiceDeployment: "key",
    Task: "task_id",
    Token: "entity_id",
    LoadBalancer: "load_balancer_id",
}
"""The member with each type's id."""


class Store(EntityStore):
    """All entities, by id. Implements `workloads.records.Records`.

    Args:
        folder: Where the file is kept.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, {each: (each.__name__, member) for each, member in _IDS.items()})
        self._show()
        self.is_new = not self.clusters

    def _show(self) -> None:
        self.clusters = self.of(Cluster)
        self.definitions = self.of(Definition)
        self.services = self.of(Service)
        self.revisions = self.of(Revision)
        self.service_deployments = self.of(ServiceDeployment)
        self.tasks = self.of(Task)
        self.tokens = self.of(Token)
        self.load_balancers = self.of(LoadBalancer)

    def save_changes(self, entity: Any) -> None:
        """Save an entity, unless it was removed; a service's images with its revisions."""
        super().save_changes(entity)
        if isinstance(entity, Service):
            self._keep_images(entity)

    def owners(self) -> list[Service | Task]:
        """Everything that has ECS tasks."""
        return [*self.services.values(), *self.tasks.values()]

    def with_guests(self, guests: Iterable[Entity]) -> Self:
        """A copy that also has another front's entities, for reading."""
        both = copy.copy(self)
        both._by_type = {kind: dict(entities) for kind, entities in self._by_type.items()}
        both._show()
        for each in guests:
            both.of(type(each))[both._name(each)[1]] = each
        return both

    def next_revision(self, family: str) -> int:
        """A revision number that was never used."""
        return 1 + max(
            (each.revision for each in self.definitions.values() if each.family == family), default=0
        )

    def task_definition(self, definition_id: str) -> TaskDefinition:
        """The part of a task definition that is acted on."""
        return runnable(self.definitions[definition_id].given)

    def _keep_images(self, service: Service) -> None:
        for deployment in service.deployments:
            rollout = service.rollouts.get(deployment.deployment_id)
            revision = self.revisions.get(rollout.revision_id) if rollout is not None else None
            if revision is not None and revision.images != deployment.images:
                revision.images = dict(deployment.images)
                self.save(revision)
