"""Services: copies of a deploy that are kept running."""

from __future__ import annotations

from collections.abc import Mapping

from ecr_widgets.sandbox.layer0.api_errors import ApiError, Code, aws_error
from ecr_widgets.sandbox.layer0.bodies import CreateService, ScaleService, UpdateService
from ecr_widgets.sandbox.layer0.entities import JobType, Service
from ecr_widgets.sandbox.layer0.identifiers import entity_id
from ecr_widgets.sandbox.layer0.logic.logs import read_logs, tail_of
from ecr_widgets.sandbox.layer0.logic.world import Wire, World
from ecr_widgets.sandbox.workloads.records import Deployment

_MOST_COPIES = 100
"""Most copies of a service: more would not fit on one machine."""


def list_all(world: World) -> list[Wire]:
    """`GET /service`."""
    return [world.shapes.service_summary(each) for each in world.store.services.values() if not each.deleting]


def create(world: World, body: CreateService) -> Wire:
    """`POST /service`: the desired count is always 1."""
    for value, word in (
        (body.environment_id, "EnvironmentID"),
        (body.service_name, "ServiceName"),
        (body.deploy_id, "DeployID"),
    ):
        if not value:
            raise ApiError(Code.MISSING_PARAMETER, f"{word} not specified")
    name, environment_id = body.service_name, body.environment_id
    if world.store.is_named("service", name=name, environment_id=environment_id):
        raise ApiError(
            Code.INVALID_SERVICE_NAME,
            f"Service with name '{name}' already exists in Environment '{environment_id}'",
        )
    if environment_id not in world.store.environments:
        raise ApiError(Code.INVALID_ENVIRONMENT_ID, f"Environment with id '{environment_id}' was not found")
    _require_deploy(world, body.deploy_id)
    if body.load_balancer_id:
        _require_port(world, body)
    service = Service(
        service_id=entity_id(name),
        name=name,
        environment_id=environment_id,
        load_balancer_id=body.load_balancer_id,
        deployments=[Deployment(body.deploy_id)],
    )
    world.used(environment_id)
    world.store.save(service)
    tags = {"name": name, "environment_id": environment_id}
    if body.load_balancer_id:
        tags["load_balancer_id"] = body.load_balancer_id
    world.store.tag("service", service.service_id, **tags)
    # ECS answers before it looks for room, so nothing is pending yet.
    made = world.shapes.service(service)
    world.scheduler.adjust(service)
    return made


def update(world: World, service_id: str, body: UpdateService) -> Wire:
    """`PUT /service/{id}/deploy`."""
    service = world.service(service_id)
    _require_deploy(world, body.deploy_id)
    if not service.deployments or service.deployments[0].definition_id != body.deploy_id:
        service.deployments.insert(0, Deployment(body.deploy_id))
        world.scheduler.adjust(service)
    return world.shapes.service(service)


def scale(world: World, service_id: str, body: ScaleService) -> Wire:
    """`PUT /service/{id}/scale`."""
    service = world.service(service_id)
    if not 0 <= body.desired_count <= _MOST_COPIES:
        raise aws_error(f"desiredCount must be between 0 and {_MOST_COPIES}", "InvalidParameterException")
    service.desired_count = body.desired_count
    world.scheduler.adjust(service)
    return world.shapes.service(service)


def delete(world: World, service_id: str) -> str:
    """`DELETE /service/{id}`: a job, whether or not it exists."""

    async def work() -> None:
        await remove(world, world.service(service_id))

    return world.start_job(JobType.DELETE_SERVICE, service_id, service_id, work())


async def remove(world: World, service: Service) -> None:
    """Stop a service's copies and remove it.

    Raises:
        ApiError: It is Layer0's own.
    """
    if service.built_in:
        raise world.own("service", service.service_id)
    service.deleting = True
    for copy in service.copies:
        await world.scheduler.stop(copy, "Scaling activity initiated by deletion")
    await world.scheduler.remove(service.copies)
    world.store.remove(service)


async def logs(world: World, service_id: str, query: Mapping[str, str]) -> list[Wire]:
    """`GET /service/{id}/logs`: copies of the current deployments, newest first."""
    tail_of(query)
    service = world.service(service_id)
    current = {each.deployment_id for each in service.deployments}
    copies = [copy for copy in reversed(service.copies) if copy.deployment_id in current]
    return await read_logs(world, copies, query)


def _require_deploy(world: World, deploy_id: str) -> None:
    if world.store.deploy(deploy_id) is None:
        raise aws_error("Unable to describe task definition.")


def _require_port(world: World, body: CreateService) -> None:
    balancer = world.load_balancer(body.load_balancer_id)
    instance_ports = {
        mapping.hostPort
        for each in world.store.task_definition(body.deploy_id).containers
        for mapping in each.portMappings
        if mapping.hostPort
    }
    if not instance_ports & {port.container_port for port in balancer.ports}:
        raise ApiError(
            Code.UNEXPECTED_ERROR,
            "No containers defined that listen on a port that is mapped by the load balancer",
        )
