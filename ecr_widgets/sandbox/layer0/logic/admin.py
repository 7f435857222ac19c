"""The admin calls, the tag calls, and Layer0's own entities."""

from __future__ import annotations

from collections.abc import Mapping

from ecr_widgets.sandbox.layer0 import tags as resolution
from ecr_widgets.sandbox.layer0.api_errors import ApiError, Code, aws_error
from ecr_widgets.sandbox.layer0.bodies import TagRequest
from ecr_widgets.sandbox.layer0.dockerrun import Document
from ecr_widgets.sandbox.layer0.entities import Deploy, Environment, LoadBalancer, Service
from ecr_widgets.sandbox.layer0.identifiers import PREFIX
from ecr_widgets.sandbox.layer0.logic.world import API, Wire, World
from ecr_widgets.sandbox.layer0.render import render
from ecr_widgets.sandbox.workloads.records import Deployment, HealthCheck, Status

_INSTANCE_MEMORY_MIB = 7482
_INSTANCE_PORTS = [22, 2376, 2375, 51678, 51679]


def version(world: World) -> str:
    """`GET /admin/version`."""
    return world.version


def config(_: World) -> Wire:
    """`GET /admin/config`."""
    return {
        "prefix": PREFIX,
        "vpc_id": "vpc-00000000",
        "public_subnets": ["subnet-00000001"],
        "private_subnets": ["subnet-00000002"],
    }


def scale(world: World, environment_id: str) -> Wire:
    """`PUT /admin/scale/{id}`: what would run on the one instance (this machine)."""
    environment = world.environment(environment_id)
    definitions = [
        each
        for service in world.store.services.values()
        if service.environment_id == environment_id
        for copy in service.copies
        if copy.status == Status.RUNNING
        for each in world.store.task_definition(copy.definition_id).containers
    ]
    used = sum(each.memory or each.memoryReservation or 0 for each in definitions)
    ports = [mapping.hostPort for each in definitions for mapping in each.portMappings if mapping.hostPort]
    count = max(environment.min_count, 1 if definitions else 0)
    provider = {
        "id": "i-00000000000000001",
        "in_use": bool(definitions),
        "used_ports": [*_INSTANCE_PORTS, *ports],
        "available_memory": f"{max(_INSTANCE_MEMORY_MIB - used, 0)}MiB",
    }
    return {
        "environment_id": environment_id,
        "scale_before_run": count,
        "desired_scale_after_run": count,
        "actual_scale_after_run": count,
        "unused_resource_providers": 0 if definitions else count,
        "pending_resources": [],
        "resource_providers": [provider] * min(count, 1),
    }


def sql(world: World) -> None:
    """`POST /admin/sql`: restores `api`'s tags; the body is never read."""
    tag_api(world)


def found_tags(world: World, query: Mapping[str, str]) -> list[Wire]:
    """`GET /tag`."""
    return resolution.find(world.store, query)


def create_tag(world: World, body: TagRequest) -> None:
    """`POST /tag`."""
    _check_tag(body)
    if not body.value:
        raise ApiError(Code.INVALID_TAG_VALUE, "Value is required")
    world.store.tag(body.entity_type, body.entity_id, **{body.key: body.value})


def delete_tag(world: World, body: TagRequest) -> None:
    """`DELETE /tag`."""
    _check_tag(body)
    if body.entity_id not in world.store.tags.get(body.entity_type, {}):
        raise ApiError(Code.UNEXPECTED_ERROR, "dynamo: no item found")
    world.store.untag(body.entity_type, body.entity_id, body.key)


def listeners(world: World) -> dict[str, dict[str, str]]:
    """`GET /admin/listeners`, an addition: where the load balancers' ports listen on this machine."""
    return world.balancers.addresses()


def add_api(world: World) -> None:
    """Add what every Layer0 has from the start."""
    containers = [{"name": "api", "image": "layer0/api", "memory": 64}]
    document = render(API, Document(containers))
    world.store.save(Deploy(f"{API}.1", API, 1, document, containers))
    world.store.save(Environment(API, API, min_count=1, max_count=1))
    world.store.save(
        LoadBalancer(
            load_balancer_id=API,
            name=API,
            environment_id=API,
            is_public=True,
            health_check=HealthCheck("HTTP:9090/health", 15, 10, 2, 3),
            built_in=True,
        )
    )
    world.store.save(
        Service(
            service_id=API,
            name=API,
            environment_id=API,
            load_balancer_id=API,
            deployments=[Deployment(f"{API}.1")],
            built_in=True,
        )
    )
    tag_api(world)


def tag_api(world: World) -> None:
    """Set `api`'s tags; its deploy has none."""
    world.store.tag("environment", API, name=API, os="linux")
    world.store.tag("load_balancer", API, name=API, environment_id=API)
    world.store.tag("service", API, name=API, environment_id=API, load_balancer_id=API)


def _check_tag(body: TagRequest) -> None:
    if not body.entity_id or not body.entity_type:
        # Layer0 checks nothing, but the table behind it requires both.
        raise aws_error("One of the required keys was not given a value", "ValidationException")
    if not body.key:
        raise ApiError(Code.INVALID_TAG_KEY, "Key is required")
