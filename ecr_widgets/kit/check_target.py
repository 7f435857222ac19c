"""Step: look at everything that a run will use, and hold what it will change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ecr_widgets.errors import RepositoryNotFound
from ecr_widgets.kit.connections import Connections
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.steps.deploy_service import find_environment, find_service
from ecr_widgets.steps.login import RegistrySession, login
from ecr_widgets.targets import Targets


@dataclass(frozen=True, slots=True)
class TargetOutcome:
    """Whom and what this run will change."""

    account: str
    identity: str
    registry: str
    engine_version: str
    layer0_version: str | None
    environment: str | None
    image_digest: str | None = None
    """What the tag names now."""
    service_deploy_id: str | None = None
    """What the service stands on now."""
    changed: bool = False


def check_target(
    to: Connections,
    targets: Targets,
    session: RegistrySession,
    *,
    environment: str | None,
    service: str | None,
    image: Callable[[], ImageReference | None],
) -> TargetOutcome:
    """Ask engine, Layer0 and registry, in this order; see `Kit.check_target`.

    Args:
        image: Gives back the tag that the run will set; called once logged in, which tells the registry.
    """
    engine_version = to.engine.version()
    layer0_version = name = deploy_id = None
    if environment is not None:
        layer0_version = to.layer0.version()
        found = find_environment(to.layer0, environment)
        name = found.name
        if service is not None:
            target = targets.service(found.environment_id, service)
            with targets.hold(target):
                _, standing = find_service(to.layer0, environment, service)
                deploy_id = standing.primary.deploy_id if standing and standing.primary else None
                targets.note(target, deploy_id)
    who = login(to.ecr, session)
    reference = image()
    digest = look_at_image(to, targets, session, reference) if reference is not None else None
    return TargetOutcome(
        who.account, who.identity, who.registry, engine_version, layer0_version, name, digest, deploy_id
    )


def look_at_image(
    to: Connections, targets: Targets, session: RegistrySession, image: ImageReference
) -> str | None:
    """What the tag names now, or None; the tag is held from here on."""
    target = targets.image(image)
    with targets.hold(target):
        try:
            digest = session.use(lambda token: to.registry.find_digest(image, token))
        except RepositoryNotFound:
            digest = None
        targets.note(target, digest)
    return digest
