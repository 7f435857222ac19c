"""Environments and their links."""

from __future__ import annotations

import base64
import binascii
import secrets

from ecr_widgets.sandbox.layer0.api_errors import ApiError, Code, aws_error
from ecr_widgets.sandbox.layer0.bodies import CreateEnvironment, Link, UpdateEnvironment
from ecr_widgets.sandbox.layer0.entities import Environment, JobType
from ecr_widgets.sandbox.layer0.identifiers import entity_id
from ecr_widgets.sandbox.layer0.logic import load_balancers, services, tasks
from ecr_widgets.sandbox.layer0.logic.world import API, Wire, World


def create(world: World, body: CreateEnvironment) -> Wire:
    """`POST /environment`."""
    name, system = body.environment_name, body.operating_system
    try:
        base64.b64decode(body.user_data_template, validate=True)
    except binascii.Error as error:
        raise ApiError(Code.INVALID_JSON, f"illegal base64 data: {error}") from error
    if not name:
        raise ApiError(Code.MISSING_PARAMETER, "EnvironmentName is required")
    untouched = _untouched(world, name)
    if untouched is None and world.store.is_named("environment", name=name):
        raise ApiError(Code.INVALID_ENVIRONMENT_ID, f"Environment with name '{name}' already exists")
    if not system:
        raise ApiError(Code.MISSING_PARAMETER, "OperatingSystem is required")
    if system.lower() not in ("linux", "windows"):
        raise ApiError(Code.UNEXPECTED_ERROR, f"Operating system '{system}' is not recognized")
    if (body.target_cap_size or body.max_cluster_count) and not body.min_cluster_count:
        # The counts become a capacity provider's step sizes, which AWS requires to be at least 1.
        wrong = 1 if body.max_cluster_count else 2
        raise aws_error(f"{wrong} validation error(s) found.", "InvalidParameter")
    made = Environment(
        entity_id(name),
        name,
        system,
        instance_size=body.instance_size or "m3.medium",
        ami_id=body.ami_id or "ami-03cf127a",
        security_group_id=f"sg-{secrets.token_hex(9)[:17]}",
        min_count=body.min_cluster_count,
        max_count=max(body.max_cluster_count, body.min_cluster_count),
    )
    if untouched is not None:
        # Creating the initial environment while it is unused replaces it, as on a server that does not have it.
        world.store.remove(untouched)
    add(world, made)
    return world.shapes.environment(made)


def add(world: World, environment: Environment) -> None:
    """Add an environment with its tags."""
    world.store.save(environment)
    world.store.tag(
        "environment", environment.environment_id, name=environment.name, os=environment.operating_system
    )


def _untouched(world: World, name: str) -> Environment | None:
    return next(
        (each for each in world.store.environments.values() if each.seeded and each.name == name), None
    )


def update(world: World, environment_id: str, body: UpdateEnvironment) -> Wire:
    """`PUT /environment/{id}`: returns the environment from before the change."""
    environment = world.environment(environment_id)
    before = world.shapes.environment(environment)
    environment.min_count = max(body.min_cluster_count, 0)
    environment.max_count = max(environment.max_count, environment.min_count)
    environment.seeded = False
    world.store.save(environment)
    return before


def delete(world: World, environment_id: str) -> str:
    """`DELETE /environment/{id}`: a job, whether or not it exists."""

    async def work() -> None:
        environment = world.environment(environment_id)
        if environment_id == API:
            raise world.own("environment", environment_id)
        for service in [s for s in world.store.services.values() if s.environment_id == environment_id]:
            await services.remove(world, service)
        for balancer in [
            b for b in world.store.load_balancers.values() if b.environment_id == environment_id
        ]:
            await load_balancers.remove(world, balancer)
        for task in [t for t in world.store.tasks.values() if t.environment_id == environment_id]:
            await tasks.remove(world, task)
        for other in list(environment.links):
            unlink(world, environment_id, other)
        world.store.remove(environment)

    return world.start_job(JobType.DELETE_ENVIRONMENT, environment_id, environment_id, work())


def link(world: World, environment_id: str, body: Link) -> str:
    """`POST /environment/{id}/link`: both ways. All links are kept; the tag has only the last, as on the real server."""
    ends = [world.store.environments.get(each) for each in (environment_id, body.environment_id)]
    source, target = ends
    if source is None or target is None:
        raise aws_error("The security group does not exist", "InvalidGroup.NotFound")
    for one, other in ((source, target), (target, source)):
        one.seeded = False
        if other.environment_id not in one.links:
            one.links.append(other.environment_id)
        world.store.save(one)
        world.store.tag("environment", one.environment_id, link=other.environment_id)
    return ""


def unlink(world: World, source_id: str, target_id: str) -> str:
    """`DELETE /environment/{source}/link/{dest}`; unknown ids are not an error."""
    for one_id, other_id in ((source_id, target_id), (target_id, source_id)):
        one = world.store.environments.get(one_id)
        if one is None or other_id not in one.links:
            continue
        one.links.remove(other_id)
        world.store.save(one)
        if one.links:
            world.store.tag("environment", one_id, link=one.links[-1])
        else:
            world.store.untag("environment", one_id, "link")
    return ""
