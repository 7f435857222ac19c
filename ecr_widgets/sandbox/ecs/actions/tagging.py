"""Tags of clusters, services, tasks and task definitions."""

from __future__ import annotations

from ecr_widgets.sandbox.ecs.entities import Cluster, Definition, Service, Task, Wire
from ecr_widgets.sandbox.ecs.faults import EcsError, invalid
from ecr_widgets.sandbox.ecs.world import World, tags_of, tags_shown


def tag(world: World, given: Wire) -> Wire:
    """TagResource."""
    entity = _entity(world, given["resourceArn"])
    entity.tags = tags_of(given, beside=entity.tags)
    world.store.save(entity)
    return {}


def untag(world: World, given: Wire) -> Wire:
    """UntagResource."""
    entity = _entity(world, given["resourceArn"])
    for key in given["tagKeys"]:
        entity.tags.pop(key, None)
    world.store.save(entity)
    return {}


def list_all(world: World, given: Wire) -> Wire:
    """ListTagsForResource."""
    return {"tags": tags_shown(_entity(world, given["resourceArn"]).tags)}


def _entity(world: World, arn: str) -> Cluster | Service | Task | Definition:
    kind, _, rest = arn.split(":", 5)[-1].partition("/")
    if kind == "cluster":
        return world.cluster(rest)
    if kind == "service":
        if "/" not in rest:
            raise invalid("Long arn format must be used for tagging operations")
        cluster, _, name = rest.partition("/")
        return world.service(world.cluster(cluster), name)
    if kind == "task-definition" and rest in world.store.definitions:
        return world.store.definitions[rest]
    if kind == "task":
        pair = world.find_copy(world.cluster(rest.partition("/")[0]), arn)
        if pair is not None and isinstance(pair[0], Task):
            return pair[0]
    raise EcsError("ResourceNotFoundException", "The specified resource was not found.")
