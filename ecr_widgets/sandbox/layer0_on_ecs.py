"""Layer0's environments, deploys, services and tasks as what they are on ECS: clusters, task definitions, services and tasks.

Both fronts work on the same records, so each sees what the other does.

Source: Layer0 v0.12.6, which names them all `l0-INSTANCE-ID`, and a deploy's task definition `l0-INSTANCE-NAME:VERSION`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from typing import Any

from ecr_widgets.sandbox.ecs.actions.services import DEFAULTS, ROLLING
from ecr_widgets.sandbox.ecs.definitions import checked
from ecr_widgets.sandbox.ecs.entities import (
    ACTIVE,
    COMPLETED,
    IN_PROGRESS,
    INACTIVE,
    Cluster,
    Definition,
    Revision,
    Rollout,
    Service,
    ServiceDeployment,
    Task,
    Wire,
)
from ecr_widgets.sandbox.ecs.faults import invalid, unsupported
from ecr_widgets.sandbox.ecs.names import definition_id, short
from ecr_widgets.sandbox.ecs.shapes import definition_shape, service_shape
from ecr_widgets.sandbox.ecs.store import Entity
from ecr_widgets.sandbox.ecs.world import World
from ecr_widgets.sandbox.layer0 import entities
from ecr_widgets.sandbox.layer0.api_errors import ApiError
from ecr_widgets.sandbox.layer0.bodies import ScaleService, UpdateService
from ecr_widgets.sandbox.layer0.dockerrun import Document, without_nulls
from ecr_widgets.sandbox.layer0.identifiers import PREFIX
from ecr_widgets.sandbox.layer0.logic import deploys, services
from ecr_widgets.sandbox.layer0.logic.world import API
from ecr_widgets.sandbox.layer0.logic.world import World as Layer0World
from ecr_widgets.sandbox.layer0.members import camel_case
from ecr_widgets.sandbox.layer0.render import render
from ecr_widgets.sandbox.workloads.records import Status

_BEGINS = f"l0-{PREFIX}-"
_NAMING = ("cluster", "clusters", "taskDefinition", "serviceDeploymentArns", "serviceRevisionArns")
"""Members of a request that say what it reads."""
_NOT_SETTINGS = frozenset(("cluster", "service", "taskDefinition", "desiredCount"))
_NUMBER = "ecs-svc/"


class Layer0OnEcs:
    """Layer0's entities in ECS's world, for `ecs.EcsSandbox`."""

    def __init__(self, world: Layer0World) -> None:
        self._layer0 = world
        self._definitions: dict[str, Definition] = {}

    def seen(self, world: World) -> World:
        """The world with everything that Layer0 has."""
        return replace(world, store=world.store.with_guests(self._guests(world)))

    def concerns(self, given: Wire) -> bool:
        """Whether a request may be about something of Layer0's: what it names is Layer0's, or it names nothing."""
        named = [str(given[member]) for member in _NAMING if member in given]
        return not named or any(_BEGINS in each for each in named)

    def change(self, world: World, operation: str, given: Wire) -> Wire | None:
        """Register or deregister a task definition, or move or scale a service; other changes are refused.

        Returns:
            The answer; None if the request concerns nothing of Layer0's.

        Raises:
            EcsError: The request is refused.
        """
        try:
            return self._change(world, operation, given)
        except ApiError as error:
            raise invalid(error.message) from error

    def _change(self, world: World, operation: str, given: Wire) -> Wire | None:
        if operation == "RegisterTaskDefinition" and str(given.get("family")).startswith(_BEGINS):
            return self._register(world, given)
        if operation == "DeregisterTaskDefinition":
            definition = self.seen(world).store.definitions.get(definition_id(given["taskDefinition"]))
            if definition is None or not definition.family.startswith(_BEGINS):
                return None
            deploys.delete(self._layer0, _deploy_id(definition))
            return {"taskDefinition": definition_shape(world, replace(definition, status=INACTIVE))}
        if short(given.get("cluster") or "default") not in {each.name for each in self._clusters()}:
            return None
        if operation != "UpdateService":
            raise unsupported(f"call {operation} in the cluster of a Layer0 environment")
        return self._update(world, given)

    def _register(self, world: World, given: Wire) -> Wire:
        """Add a deploy like Layer0's own, but without Layer0's tags: Layer0 lists it without a name."""
        stored, name = checked(given), str(given["family"]).removeprefix(_BEGINS)
        containers, version = stored["containerDefinitions"], self._layer0.store.next_version(name)
        document = Document(
            containers,
            stored["volumes"],
            given["family"],
            stored["networkMode"],
            stored.get("taskRoleArn", ""),
            stored["placementConstraints"],
        )
        content = render(name, document)
        self._layer0.store.save(
            entities.Deploy(f"{name}.{version}", name, version, content, containers, stored["volumes"])
        )
        made = Definition(given["family"], version, stored)
        # Layer0's document does not contain everything.
        world.store.save(made)
        return {"taskDefinition": definition_shape(world, made)}

    def _update(self, world: World, given: Wire) -> Wire:
        service_id = short(given["service"]).removeprefix(_BEGINS)
        service = self._layer0.service(service_id)
        settings = given.keys() - _NOT_SETTINGS
        if settings:
            raise unsupported(f"change of {', '.join(sorted(settings))} for a service of Layer0")
        if "taskDefinition" in given:
            definition = self.seen(world).usable_definition(given["taskDefinition"])
            if not definition.family.startswith(_BEGINS):
                raise unsupported("task definition of another family for a service of Layer0")
            services.update(self._layer0, service_id, UpdateService(_deploy_id(definition)))
        if "desiredCount" in given:
            services.scale(self._layer0, service_id, ScaleService(given["desiredCount"]))
        seen = self.seen(world)
        cluster = seen.cluster(f"{_BEGINS}{service.environment_id}")
        return {"service": service_shape(seen, seen.service(cluster, given["service"]))}

    def _guests(self, world: World) -> Iterator[Entity]:
        yield from self._clusters()
        for deploy in list(self._layer0.store.deploys.values()):
            yield self._definition(world, deploy)
        for service in list(self._layer0.store.services.values()):
            if not service.built_in and not service.deleting:
                yield from self._service(service)
        for task in list(self._layer0.store.tasks.values()):
            if task.environment_id == API:
                continue  # a job's task, for which nothing is run here
            yield Task(
                task_id=task.task_id,
                copy=_on_ecs(task.copy),
                cluster=f"{_BEGINS}{task.environment_id}",
                given={"launchType": "EC2"},
                group=f"family:{_family(task.copy.definition_id)[0]}",
                started_by=_BEGINS,
            )

    def _clusters(self) -> list[Cluster]:
        return [Cluster(f"{_BEGINS}{each}") for each in list(self._layer0.store.environments)]

    def _definition(self, world: World, deploy: entities.Deploy) -> Definition:
        known = self._definitions.get(deploy.deploy_id)
        if known is None:
            family, revision = _family(deploy.deploy_id)
            document = without_nulls(camel_case(json.loads(deploy.document)))
            for each in document["containerDefinitions"]:
                options = each["logConfiguration"].get("options") or {}
                if options.get("awslogs-group") == f"l0-{PREFIX}":
                    options["awslogs-region"] = world.names.region
            registered = world.store.definitions.get(f"{family}:{revision}")
            stored = registered.given if registered is not None else checked(document | {"family": family})
            known = self._definitions[deploy.deploy_id] = Definition(family, revision, stored)
        return replace(known, status=INACTIVE if deploy.deleted else ACTIVE)

    def _service(self, layer0: entities.Service) -> Iterator[Entity]:
        cluster, name = f"{_BEGINS}{layer0.environment_id}", f"{_BEGINS}{layer0.service_id}"
        service = Service(
            service_id=f"{cluster}/{name}",
            desired_count=layer0.desired_count,
            deployments=[_on_ecs(each) for each in layer0.deployments],
            copies=[_on_ecs(each) for each in layer0.copies],
            cluster=cluster,
            name=name,
            given=self._settings(layer0),
            created_at_s=_at_s(layer0.deployments[-1].created) if layer0.deployments else 0.0,
        )
        alone = len(layer0.deployments) == 1
        running = sum(each.status == Status.RUNNING for each in layer0.copies_alive)
        is_steady = alone and running == layer0.desired_count == len(layer0.copies_alive)
        for each in layer0.deployments:
            number, created_at_s = each.deployment_id.removeprefix(_NUMBER), _at_s(each.created)
            definition = ":".join(map(str, _family(each.definition_id)))
            service.rollouts[each.deployment_id] = Rollout(
                number,
                number,
                # ECS reports none for a service behind a classic load balancer.
                "" if layer0.load_balancer_id else COMPLETED if is_steady else IN_PROGRESS,
                failed_tasks=each.failures,
                created_at_s=created_at_s,
                updated_at_s=_at_s(each.updated),
            )
            yield Revision(number, service.service_id, definition, service.given, each.images, created_at_s)
            yield ServiceDeployment(
                key=number,
                service_id=service.service_id,
                target=number,
                status="SUCCESSFUL" if is_steady else "IN_PROGRESS",
                given=service.given["deploymentConfiguration"],
                created_at_s=created_at_s,
                started_at_s=created_at_s,
                finished_at_s=_at_s(each.updated) if is_steady else 0.0,
                updated_at_s=_at_s(each.updated),
            )
        yield service

    def _settings(self, service: entities.Service) -> Wire:
        settings = deepcopy(DEFAULTS) | {
            "launchType": "EC2",
            "placementStrategy": [{"type": "binpack", "field": "memory"}],
            "deploymentConfiguration": deepcopy(ROLLING),
        }
        balancer = self._layer0.store.load_balancers.get(service.load_balancer_id)
        if balancer is not None and service.deployments:
            settings["loadBalancers"] = [self._behind(balancer, service)]
        return settings

    def _behind(self, balancer: entities.LoadBalancer, service: entities.Service) -> Wire:
        """The container port that Layer0 registers with ECS: the first one that the balancer forwards to."""
        forwarded = {each.container_port for each in balancer.ports}
        definition = self._layer0.store.task_definition(service.deployments[0].definition_id)
        place: Wire = next(
            (
                {"containerName": each.name, "containerPort": mapping.containerPort}
                for each in definition.containers
                for mapping in each.portMappings
                if mapping.hostPort in forwarded
            ),
            {},
        )
        return {"loadBalancerName": f"{_BEGINS}{balancer.load_balancer_id}"} | place


def _on_ecs(given: Any) -> Any:
    """A copy or deployment, with ECS's name for its task definition."""
    return replace(given, definition_id=":".join(map(str, _family(given.definition_id))))


def _family(deploy_id: str) -> tuple[str, int]:
    name, _, version = deploy_id.rpartition(".")
    return f"{_BEGINS}{name}", int(version)


def _deploy_id(definition: Definition) -> str:
    return f"{definition.family.removeprefix(_BEGINS)}.{definition.revision}"


def _at_s(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
