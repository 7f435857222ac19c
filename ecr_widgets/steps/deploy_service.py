"""Bring a service to a deploy: create it where it is missing, else update it."""

from __future__ import annotations

from dataclasses import dataclass

from ecr_widgets.errors import EntityNotFound
from ecr_widgets.model.layer0 import Environment, Service, check_entity_name
from ecr_widgets.ports import Clock, Layer0
from ecr_widgets.steps.reconcile import reconcile


@dataclass(frozen=True, slots=True)
class ServiceOutcome:
    """The service and the deploy that it was brought to."""

    service_id: str
    service: str
    environment_id: str
    environment: str
    deploy_id: str
    previous_deploy_id: str | None
    changed: bool
    reconciled: bool = False
    """Whether the reply was lost and the change found by looking."""


def find_environment(layer0: Layer0, name: str) -> Environment:
    """The environment of that name.

    Raises:
        EntityNotFound: There is none.
    """
    environment = layer0.find_environment(name)
    if environment is None:
        raise EntityNotFound(
            f"environment {name!r} does not exist in this Layer0",
            status=404,
            hint="list them with `ecr-widgets environment list`, or create it first",
        )
    return environment


def find_service(layer0: Layer0, environment: str, name: str) -> tuple[Environment, Service | None]:
    """The environment, and the service in it or None: what decides whether creating or updating is due.

    Raises:
        EntityNotFound: The environment does not exist.
    """
    check_entity_name(name, kind="service")
    found = find_environment(layer0, environment)
    return found, layer0.find_service(found.environment_id, name)


def create_service(
    layer0: Layer0,
    clock: Clock,
    environment: Environment,
    name: str,
    deploy_id: str,
    *,
    load_balancer_id: str = "",
) -> ServiceOutcome:
    """Create a service that runs the deploy; ask `find_service` first.

    Args:
        load_balancer_id: Of one that `service_balancer` found; a service has none or this one for its whole life.

    Raises:
        OutcomeUnknown: The reply was lost, and no service of that name showed up.
    """
    made, found = reconcile(
        clock,
        lambda: layer0.create_service(
            environment.environment_id, name, deploy_id, load_balancer_id=load_balancer_id
        ),
        lambda: layer0.find_service(environment.environment_id, name),
    )
    return _outcome(made, environment, deploy_id, previous=None, changed=True, reconciled=found)


def update_service(
    layer0: Layer0, clock: Clock, environment: Environment, service: Service, deploy_id: str
) -> ServiceOutcome:
    """Move the service to the deploy; one that stands on it is left alone.

    Raises:
        OutcomeUnknown: The reply was lost, and the service does not stand on the deploy.
    """
    previous = service.primary.deploy_id if service.primary else None
    if previous == deploy_id:
        return _outcome(service, environment, deploy_id, previous=previous, changed=False)

    def moved() -> Service | None:
        now = layer0.read_service(service.service_id)
        return now if now.primary is not None and now.primary.deploy_id == deploy_id else None

    _, found = reconcile(clock, lambda: layer0.update_service(service.service_id, deploy_id), moved)
    return _outcome(service, environment, deploy_id, previous=previous, changed=True, reconciled=found)


def _outcome(
    service: Service,
    environment: Environment,
    deploy_id: str,
    *,
    previous: str | None,
    changed: bool,
    reconciled: bool = False,
) -> ServiceOutcome:
    return ServiceOutcome(
        service.service_id,
        service.name,
        environment.environment_id,
        environment.name,
        deploy_id,
        previous,
        changed,
        reconciled,
    )
