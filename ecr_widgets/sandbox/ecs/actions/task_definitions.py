"""Task definitions: permanent, with a new revision at each registration."""

from __future__ import annotations

import time

from ecr_widgets.sandbox.ecs.definitions import checked
from ecr_widgets.sandbox.ecs.entities import ACTIVE, INACTIVE, Definition, Wire
from ecr_widgets.sandbox.ecs.faults import EcsError, client_error, invalid
from ecr_widgets.sandbox.ecs.names import definition_id
from ecr_widgets.sandbox.ecs.paging import page
from ecr_widgets.sandbox.ecs.shapes import definition_shape
from ecr_widgets.sandbox.ecs.world import World, tags_of, tags_shown

_DELETING = "DELETE_IN_PROGRESS"


def register(world: World, given: Wire) -> Wire:
    """RegisterTaskDefinition: always a new revision."""
    stored, tags = checked(given), tags_of(given)
    definition = Definition(given["family"], world.store.next_revision(given["family"]), stored, tags=tags)
    world.store.save(definition)
    return {"taskDefinition": definition_shape(world, definition), "tags": tags_shown(tags) or None}


def describe(world: World, given: Wire) -> Wire:
    """DescribeTaskDefinition."""
    definition = world.definition(given["taskDefinition"])
    shown = {"taskDefinition": definition_shape(world, definition)}
    return shown | ({"tags": tags_shown(definition.tags)} if "TAGS" in (given.get("include") or ()) else {})


def list_all(world: World, given: Wire) -> Wire:
    """ListTaskDefinitions: `familyPrefix` is a family's whole name, in spite of what it is called."""
    family, status = given.get("familyPrefix"), given.get("status", ACTIVE)
    listed = sorted(
        (
            each
            for each in world.store.definitions.values()
            if each.status == status and family in (None, each.family)
        ),
        key=lambda each: (each.family, each.revision),
        reverse=given.get("sort") == "DESC",
    )
    return page(given, "taskDefinitionArns", [world.names.definition(each.entity_id) for each in listed])


def list_families(world: World, given: Wire) -> Wire:
    """ListTaskDefinitionFamilies: here `familyPrefix` really is a prefix."""
    active: dict[str, bool] = {}
    for each in world.store.definitions.values():
        active[each.family] = active.get(each.family, False) or each.status == ACTIVE
    status, prefix = given.get("status", "ALL"), given.get("familyPrefix", "")
    listed = [
        family
        for family, is_active in sorted(active.items())
        if family.startswith(prefix) and status in ("ALL", ACTIVE if is_active else INACTIVE)
    ]
    return page(given, "families", listed)


def deregister(world: World, given: Wire) -> Wire:
    """DeregisterTaskDefinition: running tasks keep running."""
    wanted = given["taskDefinition"]
    if ":" not in definition_id(wanted):
        raise client_error("Unable to describe task definition.")
    definition = world.definition(wanted)
    if definition.status == ACTIVE:
        definition.status, definition.deregistered_at_s = INACTIVE, time.time()
        world.store.save(definition)
    return {"taskDefinition": definition_shape(world, definition)}


def delete(world: World, given: Wire) -> Wire:
    """DeleteTaskDefinitions: only inactive ones, at most ten."""
    wanted = given.get("taskDefinitions") or ()
    if not 1 <= len(wanted) <= 10:
        raise invalid("taskDefinitions must have between 1 and 10 members")
    deleted, failures = [], []
    for name in wanted:
        try:
            definition = world.definition(name)
        except EcsError:
            failures.append(
                {"arn": world.names.definition(definition_id(name)), "reason": "TASK_DEFINITION_NOT_FOUND"}
            )
            continue
        if definition.status == ACTIVE:
            failures.append(
                {
                    "arn": world.names.definition(definition.entity_id),
                    "reason": "The specified task definition is still in ACTIVE status."
                    " Please deregister the target and try again.",
                }
            )
            continue
        definition.status, definition.delete_requested_at_s = _DELETING, time.time()
        world.store.save(definition)
        deleted.append(definition_shape(world, definition))
    return {"taskDefinitions": deleted, "failures": failures}
