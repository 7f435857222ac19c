"""Services as lists show them: the state of each, and which image it runs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from ecr_widgets.dockerrun.images import container_images
from ecr_widgets.errors import EntityNotFound, InputError
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.services import Service, Summary
from ecr_widgets.ports.services import Services

_AT_ONCE = 8
_NEVER = datetime(1971, 1, 1, tzinfo=UTC)
"""An earlier time means that the server reported none."""


class ServiceState(StrEnum):
    """The state of a service; the value is its name for people."""

    STABLE = "stable"
    MOVING = "moving"
    """Moving from one deploy to another."""
    SHORT = "not all run"
    """Fewer copies run than are wanted."""
    FAILED = "failed"
    """Its target has given up its latest deployment."""
    STOPPED = "stopped"
    """No copy is wanted."""
    GONE = "gone"
    """Deleted since it was listed."""


@dataclass(frozen=True, slots=True)
class ListedService:
    """One service of a list."""

    summary: Summary
    service: Service | None
    """None if it was deleted since it was listed."""
    images: tuple[str, ...] = ()
    """The image references in its deploy, container by container; empty if they are not known."""

    @property
    def name(self) -> str:
        """ENVIRONMENT/SERVICE, as runs name it."""
        return f"{self.summary.environment}/{self.summary.name}"

    @property
    def state(self) -> ServiceState:
        """The state of the service."""
        service = self.service
        if service is None:
            return ServiceState.GONE
        if service.primary is not None and service.primary.state == "FAILED":
            return ServiceState.FAILED
        if sum(bool(each.running_count or each.status == "PRIMARY") for each in service.deployments) > 1:
            return ServiceState.MOVING
        if service.running_count < service.desired_count:
            return ServiceState.SHORT
        return ServiceState.STABLE if service.desired_count else ServiceState.STOPPED

    @property
    def copies(self) -> str:
        """Running and wanted, such as `2/3`."""
        return "" if self.service is None else f"{self.service.running_count}/{self.service.desired_count}"

    @property
    def deploy_id(self) -> str:
        """What it runs or moves to; empty if it has no deployment."""
        primary = self.service.primary if self.service is not None else None
        return primary.deploy_id if primary is not None else ""

    @property
    def since(self) -> datetime | None:
        """When it was moved to that; None if its target does not say."""
        primary = self.service.primary if self.service is not None else None
        return primary.created_at if primary is not None and primary.created_at > _NEVER else None

    @property
    def digests(self) -> tuple[str, ...]:
        """The digests in its image references."""
        return tuple(each.digest for each in map(_parsed, self.images) if each is not None and each.digest)


def list_with_state(services: Services, environment_id: str | None = None) -> tuple[ListedService, ...]:
    """The services of an environment, or of all environments, each read once."""
    listed = services.list_services(environment_id)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        read = list(pool.map(lambda each: _service(services, each), listed))
        deploys = {each.primary.deploy_id for each in read if each is not None and each.primary is not None}
        images = dict(zip(deploys, pool.map(lambda each: _images(services, each), deploys), strict=True))
    return tuple(
        ListedService(
            summary,
            service,
            images.get(service.primary.deploy_id, ()) if service is not None and service.primary else (),
        )
        for summary, service in zip(listed, read, strict=True)
    )


def short_reference(image: str) -> str:
    """An image's name without its registry, and the part of its digest that people compare."""
    parsed = _parsed(image)
    if parsed is None:
        return image
    tag = f":{parsed.tag}" if parsed.tag else ""
    digest = f"@{parsed.digest.removeprefix('sha256:')[:12]}" if parsed.digest and not parsed.tag else ""
    return f"{parsed.repository}{tag}{digest}"


def _service(services: Services, summary: Summary) -> Service | None:
    try:
        return services.read_service(summary.entity_id)
    except EntityNotFound:
        return None


def _images(services: Services, deploy_id: str) -> tuple[str, ...]:
    try:
        document = services.read_deploy(deploy_id).dockerrun
        return tuple(image for _, image in container_images(document)) if document is not None else ()
    except (EntityNotFound, InputError):
        return ()  # deleted or not readable, though it may still run


def _parsed(image: str) -> ImageReference | None:
    try:
        return ImageReference.parse(image)
    except InputError:
        return None
