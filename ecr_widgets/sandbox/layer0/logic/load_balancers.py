"""Load balancers: what they forward, and how they check their targets."""

from __future__ import annotations

import re
from dataclasses import replace

from ecr_widgets.sandbox.layer0.api_errors import ApiError, Code, aws_error
from ecr_widgets.sandbox.layer0.bodies import (
    CreateLoadBalancer,
    UpdateCrossZone,
    UpdateHealthCheck,
    UpdateIdleTimeout,
    UpdatePorts,
)
from ecr_widgets.sandbox.layer0.certificate_names import is_known
from ecr_widgets.sandbox.layer0.entities import JobType, LoadBalancer
from ecr_widgets.sandbox.layer0.identifiers import entity_id
from ecr_widgets.sandbox.layer0.logic.world import Wire, World
from ecr_widgets.sandbox.layer0.wire import port as port_shape
from ecr_widgets.sandbox.workloads.records import HealthCheck, Port

_PROTOCOLS = ("SSL", "TCP", "HTTP", "HTTPS")
_TARGET = re.compile(r"(TCP|SSL):\d{1,5}|(HTTP|HTTPS):\d{1,5}(/.*)?", re.IGNORECASE)


async def create(world: World, body: CreateLoadBalancer) -> Wire:
    """`POST /loadbalancer`: a refused one leaves nothing behind, whereas AWS keeps half of it."""
    for value, word in (
        (body.environment_id, "EnvironmentID"),
        (body.load_balancer_name, "LoadBalancerName"),
    ):
        if not value:
            raise ApiError(Code.MISSING_PARAMETER, f"{word} not specified")
    name, environment_id = body.load_balancer_name, body.environment_id
    if world.store.is_named("load_balancer", name=name, environment_id=environment_id):
        raise ApiError(
            Code.INVALID_LOAD_BALANCER_NAME,
            f"LoadBalancer with name '{name}' already exists in Environment '{environment_id}'",
        )
    if environment_id not in world.store.environments:
        raise ApiError(
            Code.UNEXPECTED_ERROR, f"Security group for environment '{environment_id}' does not exist"
        )
    listeners = _listeners(body.ports)
    _check_health_check(body.health_check)
    _check_idle_timeout(body.idle_timeout)
    made = LoadBalancer(
        load_balancer_id=entity_id(name),
        name=name,
        environment_id=environment_id,
        is_public=body.is_public,
        ports=listeners,
        health_check=body.health_check,
        idle_timeout=body.idle_timeout,
        cross_zone=body.cross_zone,
    )
    world.used(environment_id)
    world.store.save(made)
    world.store.tag("load_balancer", made.load_balancer_id, name=name, environment_id=environment_id)
    await world.balancers.listen(made)
    # The real response repeats what was sent and has no address yet.
    return world.shapes.load_balancer(made) | {"ports": [port_shape(each) for each in body.ports], "url": ""}


def delete(world: World, load_balancer_id: str) -> str:
    """`DELETE /loadbalancer/{id}`: a job, whether or not it exists."""

    async def work() -> None:
        await remove(world, world.load_balancer(load_balancer_id))

    return world.start_job(JobType.DELETE_LOAD_BALANCER, load_balancer_id, load_balancer_id, work())


async def remove(world: World, balancer: LoadBalancer) -> None:
    """Stop listening and remove it; its service keeps running.

    Raises:
        ApiError: It is Layer0's own.
    """
    if balancer.built_in:
        raise world.own("load balancer", balancer.load_balancer_id)
    await world.balancers.stop(balancer)
    world.store.remove(balancer)


async def update_ports(world: World, load_balancer_id: str, body: UpdatePorts) -> Wire:
    """`PUT /loadbalancer/{id}/ports`: replaces the whole list; the response repeats it as sent."""
    balancer = world.load_balancer(load_balancer_id)
    balancer.ports = _listeners(body.ports)
    await world.balancers.listen(balancer)
    return world.shapes.load_balancer(balancer) | {"ports": [port_shape(each) for each in body.ports]}


def update_health_check(world: World, load_balancer_id: str, body: UpdateHealthCheck) -> Wire:
    """`PUT /loadbalancer/{id}/healthcheck`."""
    balancer = _known_to_aws(world, load_balancer_id)
    _check_health_check(body.health_check)
    balancer.health_check = body.health_check
    world.store.save(balancer)
    return world.shapes.load_balancer(balancer)


def update_idle_timeout(world: World, load_balancer_id: str, body: UpdateIdleTimeout) -> Wire:
    """`PUT /loadbalancer/{id}/idletimeout`."""
    balancer = _known_to_aws(world, load_balancer_id)
    _check_idle_timeout(body.health_check)
    balancer.idle_timeout = body.health_check
    world.store.save(balancer)
    return world.shapes.load_balancer(balancer)


def update_cross_zone(world: World, load_balancer_id: str, body: UpdateCrossZone) -> Wire:
    """`PUT /loadbalancer/{id}/crosszone`: stored and shown, but without effect on one machine."""
    balancer = _known_to_aws(world, load_balancer_id)
    balancer.cross_zone = body.cross_zone
    world.store.save(balancer)
    return world.shapes.load_balancer(balancer)


def _known_to_aws(world: World, load_balancer_id: str) -> LoadBalancer:
    balancer = world.store.load_balancers.get(load_balancer_id)
    if balancer is None:
        raise aws_error(
            f"There is no ACTIVE Load Balancer named 'l0-local-{load_balancer_id}'", "LoadBalancerNotFound"
        )
    return balancer


def _listeners(ports: list[Port]) -> list[Port]:
    """The ports as listeners; a port given twice, as `l0` does with an existing one, becomes one listener.

    Raises:
        ApiError: Layer0 or AWS would refuse one, or two of them together.
    """
    _check_ports(ports)
    made = [replace(port, protocol=port.protocol.upper(), listening_port=0) for port in ports]
    once = [port for number, port in enumerate(made) if port not in made[:number]]
    if len({port.host_port for port in once}) < len(once):
        raise aws_error("Two listeners cannot have the same port", "DuplicateListener")
    return once


def _check_ports(ports: list[Port]) -> None:
    for port in ports:
        if port.protocol.upper() not in _PROTOCOLS:
            raise ApiError(Code.UNEXPECTED_ERROR, f"Protocol '{port.protocol}' is not valid")
        if not (0 < port.host_port < 65536 and 0 < port.container_port < 65536):
            raise aws_error("Listener ports must be between 1 and 65535", "ValidationError")
        if port.protocol.upper() in ("SSL", "HTTPS") and not is_known(
            port.certificate_name, port.certificate_arn
        ):
            wanted = port.certificate_arn or port.certificate_name
            raise ApiError(Code.UNEXPECTED_ERROR, f"Certificate with name '{wanted}' does not exist. ")


def _check_health_check(check: HealthCheck) -> None:
    if not _TARGET.fullmatch(check.target):
        raise aws_error(f"HealthCheck target '{check.target}' is not valid", "ValidationError")
    for word, value, least, most in (
        ("Interval", check.interval, 5, 300),
        ("Timeout", check.timeout, 2, 60),
        ("HealthyThreshold", check.healthy_threshold, 2, 10),
        ("UnhealthyThreshold", check.unhealthy_threshold, 2, 10),
    ):
        if not least <= value <= most:
            raise aws_error(f"HealthCheck {word} must be between {least} and {most}", "ValidationError")
    if check.timeout >= check.interval:
        raise aws_error("HealthCheck timeout must be less than interval", "ValidationError")


def _check_idle_timeout(idle_s: int) -> None:
    if not 1 <= idle_s <= 4000:
        raise aws_error("ConnectionSettings.IdleTimeout must be between 1 and 4000", "ValidationError")
