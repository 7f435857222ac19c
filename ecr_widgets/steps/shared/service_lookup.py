"""Environments and services by name."""

from __future__ import annotations

from ecr_widgets.errors import EntityNotFound
from ecr_widgets.model.layer0 import Environment, Service, check_entity_name
from ecr_widgets.ports import Layer0


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
    """The environment, and the service in it or None.

    Raises:
        EntityNotFound: The environment does not exist.
    """
    check_entity_name(name, kind="service")
    place = find_environment(layer0, environment)
    return place, layer0.find_service(place.environment_id, name)


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
