"""Create and delete environments, load balancers and links, scale services: each brings about a state that it finds or makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ecr_widgets.errors import EntityNotFound, InputError, VerifyError
from ecr_widgets.model.layer0 import Environment, Service, check_entity_name
from ecr_widgets.model.layer0_load_balancer import HealthCheck, LoadBalancer, Port, are_same_ports
from ecr_widgets.ports import Clock, Layer0, ProgressSink, ignore_progress
from ecr_widgets.steps.deploy_service import find_environment
from ecr_widgets.steps.layer0_jobs import wait_for_job
from ecr_widgets.steps.reconcile import reconcile
from ecr_widgets.steps.wait import wait_for_service

_MOST_COPIES = 1000
OPERATING_SYSTEMS = ("linux", "windows")


@dataclass(frozen=True, slots=True)
class EnvironmentOutcome:
    """The environment that stands."""

    environment_id: str
    environment: str
    changed: bool


@dataclass(frozen=True, slots=True)
class LoadBalancerOutcome:
    """The load balancer that stands; `url` is its address."""

    load_balancer_id: str
    load_balancer: str
    environment_id: str
    url: str
    changed: bool


@dataclass(frozen=True, slots=True)
class LinkOutcome:
    """Two environments that can talk to each other, or no longer."""

    environment_id: str
    other_id: str
    linked: bool
    changed: bool


@dataclass(frozen=True, slots=True)
class ScaleOutcome:
    """The service and its number of copies."""

    service_id: str
    service: str
    previous_count: int
    desired_count: int
    running_count: int
    changed: bool


@dataclass(frozen=True, slots=True)
class DeletionOutcome:
    """What is gone; `job_id` is None where it was gone before."""

    kind: str
    name: str
    entity_id: str | None
    job_id: str | None
    changed: bool


def create_environment(
    layer0: Layer0,
    clock: Clock,
    name: str,
    *,
    instance_size: str = "m3.medium",
    min_count: int = 0,
    max_count: int = 0,
    operating_system: str = "linux",
    ami_id: str = "",
    user_data: bytes = b"",
) -> EnvironmentOutcome:
    """Create the environment where it is missing; one that stands is left as it is.

    Args:
        max_count: Most instances; at least `min_count` are taken.

        user_data: Go template of what an instance runs at its start; empty for the server's own.

    Raises:
        InputError: A count or the operating system makes no sense.

        OutcomeUnknown: The reply was lost, and no environment of that name showed up.
    """
    check_entity_name(name, kind="environment")
    if not min_count >= 0 or (max_count and max_count < min_count):
        raise InputError(
            f"{min_count} to {max_count} instances refused",
            hint="give 0 or more, and no most below the least",
        )
    if max_count and not min_count:
        raise InputError(
            f"0 to {max_count} instances refused: AWS takes no group that scales and has a least number of 0",
            hint="give a least number of 1 or more, or no largest number",
        )
    if operating_system not in OPERATING_SYSTEMS:
        raise InputError(
            f"operating system {operating_system!r} refused", hint=f"use {' or '.join(OPERATING_SYSTEMS)}"
        )
    standing = layer0.find_environment(name)
    if standing is not None:
        return EnvironmentOutcome(standing.environment_id, standing.name, changed=False)
    made, _ = reconcile(
        clock,
        lambda: layer0.create_environment(
            name,
            instance_size=instance_size,
            min_count=min_count,
            max_count=max_count,
            operating_system=operating_system,
            ami_id=ami_id,
            user_data=user_data,
        ),
        lambda: layer0.find_environment(name),
    )
    return EnvironmentOutcome(made.environment_id, name, changed=True)


def create_load_balancer(
    layer0: Layer0,
    clock: Clock,
    environment: str,
    name: str,
    ports: Sequence[Port],
    *,
    health_check: HealthCheck,
    idle_timeout: int = 60,
    is_public: bool = True,
    cross_zone: bool | None = None,
) -> LoadBalancerOutcome:
    """Create the load balancer where it is missing; one that stands is brought to these ports and this check.

    Args:
        cross_zone: None takes it as it stands, and has it in a new one; servers before v0.11.0 do not know it.

    Raises:
        EntityNotFound: No such environment.

        InputError: AWS would refuse it.

        VerifyError: It stands, public where it should be private or the other way round.
    """
    check_entity_name(name, kind="load balancer")
    where = find_environment(layer0, environment)
    standing = layer0.find_load_balancer(where.environment_id, name)
    if standing is None:
        made, _ = reconcile(
            clock,
            lambda: layer0.create_load_balancer(
                where.environment_id,
                name,
                ports,
                health_check=health_check,
                idle_timeout=idle_timeout,
                is_public=is_public,
                cross_zone=cross_zone is not False,
            ),
            lambda: layer0.find_load_balancer(where.environment_id, name),
        )
        # The answer to a creation has no address yet.
        return _balancer_outcome(layer0.read_load_balancer(made.load_balancer_id), changed=True)
    if standing.is_public is not is_public:
        raise VerifyError(
            f"load balancer {name!r} stands and is {'public' if standing.is_public else 'private'}",
            hint="that cannot be changed: delete it first, or take another name",
        )
    differs = (
        not are_same_ports(standing.ports, ports),
        standing.health_check != health_check,
        # Servers before v0.10.7 tell none, and cannot change it.
        standing.idle_timeout not in (0, idle_timeout),
        cross_zone is not None and standing.cross_zone is not cross_zone,
    )
    if not any(differs):
        return _balancer_outcome(standing, changed=False)
    changed = layer0.update_load_balancer(
        standing.load_balancer_id,
        ports=ports if differs[0] else None,
        health_check=health_check if differs[1] else None,
        idle_timeout=idle_timeout if differs[2] else None,
        cross_zone=cross_zone if differs[3] else None,
    )
    return _balancer_outcome(changed, changed=True)


def link_environments(layer0: Layer0, environment: str, other: str, *, linked: bool = True) -> LinkOutcome:
    """Let two environments talk to each other, or no longer.

    Raises:
        EntityNotFound: No such environment.

        InputError: An environment cannot be linked to itself.
    """
    one, two = (find_environment(layer0, each).environment_id for each in (environment, other))
    if one == two:
        raise InputError(f"environment {environment!r} cannot be linked to itself", hint="name two")
    # The real server tells one link of each side only, so both sides are asked.
    stands = two in layer0.read_environment(one).links or one in layer0.read_environment(two).links
    if stands is linked:
        return LinkOutcome(one, two, linked, changed=False)
    if linked:
        layer0.link_environments(one, two)
    else:
        layer0.unlink_environments(one, two)
    return LinkOutcome(one, two, linked, changed=True)


def scale_service(
    layer0: Layer0,
    clock: Clock,
    environment: str,
    name: str,
    count: int,
    *,
    wait: bool = True,
    timeout_s: float = 600.0,
    progress: ProgressSink = ignore_progress,
) -> ScaleOutcome:
    """Bring a service to a number of copies, and wait until they run.

    Raises:
        EntityNotFound: No such environment or service.

        InputError: The number is none that makes sense.

        DeploymentFailed: The copies stop again and again.

        WaitTimeout: The deadline came first.
    """
    if not 0 <= count <= _MOST_COPIES:
        raise InputError(f"{count} copies refused", hint=f"it goes from 0 to {_MOST_COPIES}")
    service = require_service(layer0, find_environment(layer0, environment), name)

    def scaled() -> Service | None:
        now = layer0.read_service(service.service_id)
        return now if now.desired_count == count else None

    changed = service.desired_count != count
    if changed:
        reconcile(clock, lambda: layer0.scale_service(service.service_id, count), scaled)
    running = service.running_count
    if wait and service.primary is not None:
        waited = wait_for_service(
            layer0,
            clock,
            service.service_id,
            deploy_id=service.primary.deploy_id,
            timeout_s=timeout_s,
            progress=progress,
        )
        running = waited.running_count
    return ScaleOutcome(service.service_id, service.name, service.desired_count, count, running, changed)


def delete_service(
    layer0: Layer0, clock: Clock, environment: str, name: str, *, timeout_s: float = 900.0
) -> DeletionOutcome:
    """Delete a service and wait until it is gone; one that is gone is no error.

    Raises:
        EntityNotFound: No such environment.

        DeploymentFailed: The job failed; its log says why.
    """
    found = layer0.find_service(find_environment(layer0, environment).environment_id, name)
    if found is None:
        return DeletionOutcome("service", name, None, None, changed=False)
    job_id = layer0.delete_service(found.service_id)
    return _deleted(layer0, clock, "service", name, found.service_id, job_id, timeout_s)


def delete_load_balancer(
    layer0: Layer0, clock: Clock, environment: str, name: str, *, timeout_s: float = 900.0
) -> DeletionOutcome:
    """Delete a load balancer and wait until it is gone; one that is gone is no error. Raises as `delete_service`."""
    found = layer0.find_load_balancer(find_environment(layer0, environment).environment_id, name)
    if found is None:
        return DeletionOutcome("load balancer", name, None, None, changed=False)
    job_id = layer0.delete_load_balancer(found.load_balancer_id)
    return _deleted(layer0, clock, "load balancer", name, found.load_balancer_id, job_id, timeout_s)


def delete_environment(
    layer0: Layer0, clock: Clock, name: str, *, timeout_s: float = 1800.0
) -> DeletionOutcome:
    """Delete an environment with all that is in it; one that is gone is no error.

    Raises:
        DeploymentFailed: The job failed; its log says why.

        WaitTimeout: Up to v0.12.6 an environment with tasks takes 15 minutes and fails: delete the tasks first.
    """
    found = layer0.find_environment(name)
    if found is None:
        return DeletionOutcome("environment", name, None, None, changed=False)
    job_id = layer0.delete_environment(found.environment_id)
    return _deleted(layer0, clock, "environment", name, found.environment_id, job_id, timeout_s)


def require_service(layer0: Layer0, environment: Environment, name: str) -> Service:
    """The service of that name.

    Raises:
        EntityNotFound: There is none.
    """
    service = layer0.find_service(environment.environment_id, name)
    if service is None:
        raise EntityNotFound(
            f"service {name!r} does not exist in environment {environment.name!r}",
            status=404,
            hint=f"list them with `ecr-widgets service list {environment.name}`",
        )
    return service


def _deleted(
    layer0: Layer0, clock: Clock, kind: str, name: str, entity_id: str, job_id: str, timeout_s: float
) -> DeletionOutcome:
    wait_for_job(layer0, clock, job_id, what=f"deletion of {kind} {name!r}", timeout_s=timeout_s)
    return DeletionOutcome(kind, name, entity_id, job_id, changed=True)


def _balancer_outcome(balancer: LoadBalancer, *, changed: bool) -> LoadBalancerOutcome:
    return LoadBalancerOutcome(
        balancer.load_balancer_id, balancer.name, balancer.environment_id, balancer.url, changed
    )
