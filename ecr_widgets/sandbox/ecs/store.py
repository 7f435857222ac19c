"""All that this ECS knows, in memory and on disk: one row per entity, written before a change is answered."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import msgspec

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
from ecr_widgets.sandbox.rows import Rows
from ecr_widgets.sandbox.workloads import records
from ecr_widgets.sandbox.workloads.task_definition import TaskDefinition

Entity = Cluster | Definition | Service | Revision | ServiceDeployment | Task | Token


class Store:
    """All entities, by id. Implements `workloads.records.Records`.

    Args:
        folder: Where the file is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.clusters: dict[str, Cluster] = {}
        self.definitions: dict[str, Definition] = {}
        self.services: dict[str, Service] = {}
        self.revisions: dict[str, Revision] = {}
        self.service_deployments: dict[str, ServiceDeployment] = {}
        self.tasks: dict[str, Task] = {}
        self.tokens: dict[str, Token] = {}
        self.load_balancers: dict[str, records.LoadBalancer] = {}
        self._highest: dict[str, int] = {}
        self._by_type: dict[type[Any], dict[str, Any]] = {
            Cluster: self.clusters,
            Definition: self.definitions,
            Service: self.services,
            Revision: self.revisions,
            ServiceDeployment: self.service_deployments,
            Task: self.tasks,
            Token: self.tokens,
            records.LoadBalancer: self.load_balancers,
        }
        self._rows = Rows(folder / "entities.sqlite")
        types = {each.__name__: each for each in self._by_type}
        for kind, entity_id, content in self._rows:
            entity = msgspec.json.decode(content, type=types[kind])
            self._by_type[types[kind]][entity_id] = entity
            if isinstance(entity, Definition):
                self._highest[entity.family] = max(self._highest.get(entity.family, 0), entity.revision)
        self.is_new = not self.clusters

    def save(self, *entities: Entity) -> None:
        """Add entities, or save changes to them."""
        for entity in entities:
            self._by_type[type(entity)][entity.entity_id] = entity
            self._rows.write(type(entity).__name__, entity.entity_id, entity)

    def save_changes(self, record: records.Service | records.Task | records.LoadBalancer) -> None:
        """Save an entity, unless it was removed."""
        if isinstance(record, records.LoadBalancer):
            if self.load_balancers.get(record.load_balancer_id) is record:
                self._rows.write("LoadBalancer", record.load_balancer_id, record)
            return
        assert isinstance(record, Service | Task)
        if self._by_type[type(record)].get(record.entity_id) is not record:
            return
        self._rows.write(type(record).__name__, record.entity_id, record)
        if isinstance(record, Service):
            self._keep_images(record)

    def save_load_balancer(self, balancer: records.LoadBalancer) -> None:
        """Add a load balancer."""
        self.load_balancers[balancer.load_balancer_id] = balancer
        self.save_changes(balancer)

    def remove_load_balancer(self, balancer: records.LoadBalancer) -> None:
        """Remove a load balancer."""
        self.load_balancers.pop(balancer.load_balancer_id, None)
        self._rows.delete("LoadBalancer", balancer.load_balancer_id)

    def remove(self, entity: Entity) -> None:
        """Remove an entity."""
        self._by_type[type(entity)].pop(entity.entity_id, None)
        self._rows.delete(type(entity).__name__, entity.entity_id)

    def owners(self) -> list[Service | Task]:
        """Everything that has ECS tasks."""
        return [*self.services.values(), *self.tasks.values()]

    def with_guests(self, guests: Iterable[Entity]) -> Self:
        """A copy that also has another front's entities, for reading."""
        both = copy.copy(self)
        both._by_type = {kind: dict(entities) for kind, entities in self._by_type.items()}
        (
            both.clusters,
            both.definitions,
            both.services,
            both.revisions,
            both.service_deployments,
            both.tasks,
        ) = (
            both._by_type[kind] for kind in (Cluster, Definition, Service, Revision, ServiceDeployment, Task)
        )
        for each in guests:
            both._by_type[type(each)][each.entity_id] = each
        return both

    def next_revision(self, family: str) -> int:
        """A revision number that was never used."""
        self._highest[family] = self._highest.get(family, 0) + 1
        return self._highest[family]

    def task_definition(self, definition_id: str) -> TaskDefinition:
        """The part of a task definition that is acted on."""
        return runnable(self.definitions[definition_id].given)

    def close(self) -> None:
        """Close the file."""
        self._rows.close()

    def _keep_images(self, service: Service) -> None:
        for deployment in service.deployments:
            rollout = service.rollouts.get(deployment.deployment_id)
            revision = self.revisions.get(rollout.revision_id) if rollout is not None else None
            if revision is not None and revision.images != deployment.images:
                revision.images = dict(deployment.images)
                self.save(revision)
