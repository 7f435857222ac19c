"""The current state of a service: which images it runs, what its containers said, and the deploys that it could move to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from ecr_widgets.dockerrun.images import container_images
from ecr_widgets.errors import EntityNotFound, InputError
from ecr_widgets.model.services import Copy, Deploy, Place, Proof, Service
from ecr_widgets.ports.services import Services
from ecr_widgets.steps.shared.earlier_deploy import earlier_deploy
from ecr_widgets.steps.shared.logs import merge
from ecr_widgets.steps.shared.service_lookup import find_service

_LOG_LINES = 5
_MOST_CRASHED = 4
"""How many containers of stopped copies are shown with their last lines."""


@dataclass(frozen=True, slots=True)
class ServiceView:
    """A service at one time."""

    environment: Place
    service: Service | None
    """None if the environment has no such service yet."""
    images: dict[str, tuple[str, ...]]
    """What the containers of each deployment run, by deploy id."""
    stored: tuple[Deploy, ...]
    """All stored deploys: those with the name of the current one first, then by name; newest first."""
    log: tuple[str, ...]
    """Last lines of all copies."""
    copies: tuple[Copy, ...] = ()
    """The copies that the target reports, oldest first."""
    earlier_deploy_id: str | None = None
    """What a rollback would go back to."""
    containers: tuple[tuple[str, str], ...] = ()
    """Name and image of each container of what the service runs or moves to."""
    crash_logs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Last lines of the last copies that stopped, by deploy id."""
    proven: Mapping[str, Proof] = field(default_factory=dict)
    """The deploys that the service ran according to saved runs, by id."""

    @property
    def deploy_id(self) -> str | None:
        """What the service runs or moves to."""
        primary = self.service.primary if self.service is not None else None
        return primary.deploy_id if primary is not None else None

    @property
    def deploy_name(self) -> str | None:
        """Name under which that deploy is stored."""
        current = self._current
        return current.name if current is not None else None

    @property
    def _current(self) -> Deploy | None:
        return next((each for each in self.stored if each.deploy_id == self.deploy_id), None)


def look_at_service(
    services: Services, environment: str, service: str, proven: Callable[[str], Mapping[str, Proof]]
) -> ServiceView:
    """Read a service of an environment; it need not exist.

    Args:
        proven: Returns the deploys that a service is proven to have run, by the service's id.

    Raises:
        EntityNotFound: No such environment.
    """
    place, current = find_service(services, environment, service)
    if current is None:
        return ServiceView(place, None, {}, _ordered(services.list_all_deploys(), None), ())
    documents = {each.deploy_id: _read(services, each.deploy_id) for each in current.deployments}
    primary = documents.get(current.primary.deploy_id) if current.primary is not None else None
    stored = _ordered(services.list_all_deploys(), primary.name if primary is not None else None)
    known = proven(current.service_id)
    lines = merge(services.service_logs(current.service_id, tail=_LOG_LINES)) if current.deployments else ()
    return ServiceView(
        place,
        current,
        {deploy_id: _images(deploy) for deploy_id, deploy in documents.items()},
        stored,
        tuple(str(line) for line in lines[-_LOG_LINES:]),
        services.list_copies(current.service_id) or (),
        _earlier(services, current, known),
        _containers(primary),
        _crash_logs(services, current),
        known,
    )


def _crash_logs(services: Services, service: Service) -> dict[str, tuple[str, ...]]:
    return {
        each.deploy_id: tuple(
            f"{log.name}: {line}"
            for log in services.crash_logs(service.service_id, each.deployment_id, tail=_LOG_LINES)[
                -_MOST_CRASHED:
            ]
            for line in log.lines
        )
        for each in service.deployments
        if each.stopped_reasons
    }


def _earlier(services: Services, service: Service, proven: Mapping[str, Proof]) -> str | None:
    try:
        return earlier_deploy(services, service, lambda: proven)
    except EntityNotFound:
        return None  # the deploy that it runs was deleted


def _ordered(deploys: Iterable[Deploy], first: str | None) -> tuple[Deploy, ...]:
    return tuple(sorted(deploys, key=lambda each: (each.name != first, each.name, -each.version)))


def _read(services: Services, deploy_id: str) -> Deploy | None:
    try:
        return services.read_deploy(deploy_id)
    except EntityNotFound:
        return None  # deleted, though it may still run


def _images(deploy: Deploy | None) -> tuple[str, ...]:
    return tuple(image for _, image in _containers(deploy))


def _containers(deploy: Deploy | None) -> tuple[tuple[str, str], ...]:
    if deploy is None or deploy.dockerrun is None:
        return ()
    try:
        return container_images(deploy.dockerrun)
    except InputError:
        return ()
