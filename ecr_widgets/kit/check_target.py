"""Step: look at everything that a run will use, and hold what it will change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.errors import RepositoryNotFound
from ecr_widgets.kit.connections import Connections
from ecr_widgets.model.build_context import find_context
from ecr_widgets.model.engine_facts import EngineFacts
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.layer0 import check_deploy_name
from ecr_widgets.steps.build_image import check_local_name
from ecr_widgets.steps.deploy_service import find_environment, find_service
from ecr_widgets.steps.login import RegistrySession, login
from ecr_widgets.targets import Targets

_ANY_IMAGE = ImageReference("registry.invalid", "image", digest=f"sha256:{'0' * 64}")
"""Stands for the image that is not pushed yet while its place in the Dockerrun is tried."""


@dataclass(frozen=True, slots=True)
class TargetOutcome:
    """Whom and what this run will change."""

    account: str | None
    identity: str | None
    registry: str
    engine: EngineFacts
    engine_version: str
    layer0_version: str | None
    environment: str | None
    image_digest: str | None = None
    """What the tag names now."""
    service_deploy_id: str | None = None
    """What the service stands on now."""
    warnings: tuple[str, ...] = ()
    """What Layer0 drops of the Dockerrun, placeholders left in it, and why the identity is not known."""
    changed: bool = False


@dataclass(frozen=True, slots=True)
class RunFiles:
    """What a run will read from disk and the names that it will give; None where it does not."""

    context: Path | None = None
    """The build context, where it was found."""
    dockerfile: str = "Dockerfile"
    local_name: str | None = None
    dockerrun: bytes | None = None
    container: str | None = None
    deploy: str | None = None


def check_files(files: RunFiles) -> tuple[str, ...]:
    """Find now what a later step would refuse, when earlier ones have changed things already.

    Returns:
        Warnings about the Dockerrun.

    Raises:
        InputError: A name that engine or Layer0 would refuse.

        InvalidDockerrun: The Dockerrun cannot be used, or has no such container.

        BuildError: No build context, or no Dockerfile in it.
    """
    if files.local_name is not None:
        check_local_name(files.local_name)
    if files.context is not None:
        find_context(files.context, files.dockerfile)
    if files.deploy is not None:
        check_deploy_name(files.deploy)
    if files.dockerrun is not None:
        return (
            Dockerrun.template(files.dockerrun).with_image(_ANY_IMAGE, container=files.container).warnings()
        )
    return ()


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
    engine = to.engine.facts()
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
        who.account,
        who.identity,
        who.registry,
        engine,
        engine.version,
        layer0_version,
        name,
        digest,
        deploy_id,
        who.warnings,
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
