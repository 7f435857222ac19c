"""The post-condition of a release: what runs is what was pushed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ecr_widgets.dockerrun.images import container_images
from ecr_widgets.errors import InvalidReference, VerifyError
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.registry_host import OwnRegistry, Sameness
from ecr_widgets.ports import Layer0, Registry
from ecr_widgets.steps.login import RegistrySession
from ecr_widgets.steps.wait import describe


@dataclass(frozen=True, slots=True)
class VerifyOutcome:
    """What was found, each by its own source: the registry's digest and the running deploy's."""

    service_id: str
    deploy_id: str
    image: ImageReference
    registry_digest: str
    running_digest: str
    running_count: int
    changed: bool = False


def verify_service(
    layer0: Layer0,
    registry: Registry,
    session: RegistrySession,
    service_id: str,
    *,
    image: ImageReference | None,
    deploy_id: str | None = None,
    container: str | None = None,
) -> VerifyOutcome:
    """Check that all running copies of the service run the image, by digest, and that the registry serves it.

    Layer0 tells no container's digest, so it is read from the Dockerrun of the one deployment that runs: a reference by
    digest cannot mean anything else.

    Args:
        image: None for the one that the service's deploy names, of the session's registry.

        deploy_id: Deploy that the service must stand on; None for any.

    Raises:
        VerifyError: Anything else runs; the message names both.
    """
    if image is not None and image.digest is None:
        raise VerifyError(
            f"{image} names no digest, so nothing can be proven of it", hint="pin the image by digest"
        )
    service = layer0.read_service(service_id)
    primary = service.primary
    others = [d for d in service.deployments if d is not primary and d.running_count]
    if primary is None or primary.running_count < 1 or others:
        raise VerifyError(f"service {service.name!r} does not run one deployment only: {describe(service)}")
    if deploy_id is not None and primary.deploy_id != deploy_id:
        raise VerifyError(
            f"service {service.name!r} stands on {primary.deploy_id}, not on {deploy_id}",
            hint="find out who deployed meanwhile",
        )
    document = layer0.read_deploy(primary.deploy_id).dockerrun
    running = list(_running(document or b"{}", container))
    if image is None:
        image = _pinned(running, session.registry(), service.name)
    match = next((each for each in running if _is_image(each, image, session)), None)
    if match is None:
        raise VerifyError(
            f"service {service.name!r} runs {', '.join(map(str, running)) or 'no such container'}, not {image}",
            hint="deploy the image, or find out who deployed another",
        )
    served = session.use(lambda token: registry.find_digest(image, token))
    if served is None or served != image.digest:
        raise VerifyError(
            f"the registry serves {served or 'nothing'} for {image}", hint="push the image again"
        )
    return VerifyOutcome(
        service_id, primary.deploy_id, image, served, match.digest or "", primary.running_count
    )


def _running(document: bytes, container: str | None) -> Iterator[ImageReference]:
    """Images of a stored Dockerrun as Layer0 reads it: what we would not write ourselves runs all the same."""
    for name, image in container_images(document):
        if container is None or name == container:
            with suppress(InvalidReference):
                yield ImageReference.parse(image)


def _is_image(running: ImageReference, wanted: ImageReference, session: RegistrySession) -> bool:
    """Whether that is what runs, whichever of its registry's names it goes by."""
    if (running.repository, running.digest) != (wanted.repository, wanted.digest):
        return False
    if running.registry == wanted.registry:
        return True
    own = session.registry()
    return all(own.sameness(each.registry) is Sameness.SAME for each in (running, wanted))


def _pinned(running: Sequence[ImageReference], registry: OwnRegistry, service: str) -> ImageReference:
    """The image of the registry among those that a deploy names; every one of them must be by digest."""
    ours = [each for each in running if registry.sameness(each.registry) is Sameness.SAME]
    loose = next((each for each in ours if each.digest is None), None)
    if loose is not None or not ours:
        raise VerifyError(
            f"service {service!r} runs {loose}, which names no digest, so nothing can be proven of it"
            if loose is not None
            else f"service {service!r} runs no image of {registry.host}, so nothing can be proven of it",
            hint="deploy it by digest",
        )
    return registry.own(ours[0])
