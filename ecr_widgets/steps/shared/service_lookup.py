"""Places and services by name."""

from __future__ import annotations

from ecr_widgets.errors import EntityNotFound, InputError
from ecr_widgets.model.names import check_name
from ecr_widgets.model.services import Place, Service
from ecr_widgets.ports.services import Services
from ecr_widgets.steps.shared.nearest import nearest_of


def nearest_service(services: Services, environment: Place, name: str, otherwise: str) -> str:
    """A hint for a service that an environment does not have."""
    return nearest_of(
        name, lambda: [each.name for each in services.list_services(environment.environment_id)], otherwise
    )


def find_environment(services: Services, name: str) -> Place:
    """The environment of that name.

    Raises:
        EntityNotFound: No such environment.
    """
    environment = services.find_environment(name)
    if environment is None:
        raise EntityNotFound(
            f"environment {name!r} does not exist in {services.dialect()} at {services.address()}",
            status=404,
            hint=nearest_of(
                name,
                lambda: [each.name for each in services.list_environments()],
                "list them with `ecr-widgets environment list`, or create it first",
            ),
        )
    return environment


def find_service(services: Services, environment: str, name: str) -> tuple[Place, Service | None]:
    """The environment, and the service in it or None.

    Raises:
        EntityNotFound: No such environment.
    """
    check_name(services.dialect(), name, "service")
    place = find_environment(services, environment)
    return place, services.find_service(place.environment_id, name)


def require_movable(service: Service | None) -> None:
    """Refuse a service that something else deploys.

    Raises:
        InputError: The target refuses changes; the message says why.
    """
    if service is not None and service.refused:
        raise InputError(f"service {service.name!r} is not changed: {service.refused}")


def require_service(services: Services, environment: Place, name: str) -> Service:
    """The service of that name.

    Raises:
        EntityNotFound: No such service.
    """
    service = services.find_service(environment.environment_id, name)
    if service is None:
        raise EntityNotFound(
            f"service {name!r} does not exist in environment {environment.name!r}",
            status=404,
            hint=nearest_service(
                services, environment, name, f"list them with `ecr-widgets service list {environment.name}`"
            ),
        )
    return service
