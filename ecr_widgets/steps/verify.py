"""The final check of a release: what runs is what was pushed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass
from typing import Any

from ecr_widgets.dockerrun.images import container_images
from ecr_widgets.errors import InvalidReference, VerifyError
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.registry_host import OwnRegistry, Sameness
from ecr_widgets.model.services import Deployment, Service
from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.deploy_service import ServiceOutcome
from ecr_widgets.steps.push_image import PushOutcome
from ecr_widgets.steps.rollback import RollbackOutcome
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.registry_session import RegistrySession
from ecr_widgets.steps.shared.running_digests import reported_digest
from ecr_widgets.steps.shared.service_wait import describe
from ecr_widgets.steps.step import NOT_YET, Step, if_given

_NO_IMAGE = ImageReference(None, NOT_YET.replace(" ", "-"))
"""The image in a plan, if only the run will find out which one it is."""


@dataclass(frozen=True, slots=True)
class VerifyOutcome:
    """What was found, each from its own source: the registry's digest, and what the running copies report."""

    service_id: str
    deploy_id: str
    image: ImageReference
    registry_digest: str
    running_digest: str
    running_count: int
    changed: bool = False
    platform_digest: str = ""
    """The digest that the copies report, if `image` is an index and they report its image for their platform; else empty."""
    warnings: tuple[str, ...] = ()
    """Given if the running digest is taken from the deploy, since a copy reports none."""


@dataclass(frozen=True)
class Verify(Step[None, VerifyOutcome]):
    """Check that all running copies of the service run the image, by digest, and that the registry serves it.

    On ECS each running copy reports its digests. Layer0 reports none, so there the digest is read from the Dockerrun of the
    only deployment that runs: a reference by digest cannot mean anything else.

    Args:
        image: What was pushed, copied or found; without it, what the service's deploy pins by digest, such as after
            a rollback.

        container: Container that runs it; None or empty for any.

        profile: AWS profile of the account whose registry has the image; empty for this run's own.

        region: AWS region of that registry; empty for the profile's own.

    Raises:
        VerifyError: Something else runs; the message names both.
    """

    service: ServiceOutcome | RollbackOutcome
    image: PushOutcome | None = None
    _: KW_ONLY
    container: str | None = None
    profile: str = if_given("")
    region: str = if_given("")

    def inputs(self, outside: Outside) -> dict[str, Any]:
        image = None if self.image is None else str(self.image.image)
        service = {"environment": self.service.environment, "service": self.service.service, "image": image}
        return service | {
            name: value for name, value in super().inputs(outside).items() if name not in service
        }

    def look(self, outside: Outside, progress: ProgressSink) -> None:
        """Look at nothing: what is verified is what runs after all other steps."""

    def plan(self, outside: Outside, found: None) -> VerifyOutcome:
        image = self.image.image if self.image is not None else _NO_IMAGE
        return VerifyOutcome(self.service.service_id, self.service.deploy_id, image, NOT_YET, NOT_YET, 0)

    def plan_record(self, outside: Outside, found: None, planned: VerifyOutcome) -> dict[str, Any]:
        return {"deploy_id": self.service.deploy_id, "changed": False}

    def act(self, outside: Outside, found: None, progress: ProgressSink) -> VerifyOutcome:
        image = None if self.image is None else self.image.image
        if image is not None and image.digest is None:
            raise VerifyError(
                f"{image} names no digest, so nothing can be proven about it", hint="pin the image by digest"
            )
        session = outside.session_of(self.profile, self.region)
        services = outside.services_of(self.service.environment)
        service = services.read_service(self.service.service_id)
        primary = _only_deployment(service)
        # If an image is given, the service may be on another deploy with the same image.
        if image is None and primary.deploy_id != self.service.deploy_id:
            raise VerifyError(
                f"service {service.name!r} is on {primary.deploy_id}, not on {self.service.deploy_id}",
                hint="find out who deployed meanwhile",
            )
        document = services.read_deploy(primary.deploy_id).dockerrun
        running = list(_running(document or b"{}", self.container or None))
        if image is None:
            image = _pinned([each for _, each in running], session.registry(), service.name)
        match = next((name for name, each in running if _is_image(each, image, session)), None)
        if match is None:
            named = ", ".join(str(each) for _, each in running)
            raise VerifyError(
                f"service {service.name!r} runs {named or 'no such container'}, not {image}",
                hint="deploy the image, or find out who deployed another",
            )
        served = session.use(lambda token: outside.registry.find_digest(image, token))
        if served is None or served != image.digest:
            raise VerifyError(
                f"the registry serves {served or 'nothing'} for {image}", hint="push the image again"
            )
        copies, digest = services.list_copies(service.service_id), image.digest or ""
        warnings: tuple[str, ...] = ()
        platform_digest: str | None = ""
        if copies is not None:
            found_image = image
            details = session.use(lambda token: outside.registry.read_details(found_image, token))
            wanted = {digest, *(each.digest for each in details.images)}
            reported = reported_digest(copies, primary, match, wanted, service=service.name)
            if reported is None:
                warnings = ("a copy reports no digest: it is taken from the deploy",)
            platform_digest = reported if reported not in (None, digest) else ""
        return VerifyOutcome(
            service.service_id,
            primary.deploy_id,
            image,
            served,
            digest,
            primary.running_count,
            platform_digest=platform_digest or "",
            warnings=warnings,
        )


def _only_deployment(service: Service) -> Deployment:
    primary = service.primary
    others = [each for each in service.deployments if each is not primary and each.running_count]
    if primary is None or primary.running_count < 1 or others:
        raise VerifyError(f"service {service.name!r} does not run one deployment only: {describe(service)}")
    return primary


def _running(document: bytes, container: str | None) -> Iterator[tuple[str, ImageReference]]:
    """Containers and images of a stored Dockerrun as Layer0 reads it: what this kit would refuse may be running anyway."""
    for name, image in container_images(document):
        if container is None or name == container:
            with suppress(InvalidReference):
                yield name, ImageReference.parse(image)


def _is_image(running: ImageReference, wanted: ImageReference, session: RegistrySession) -> bool:
    """Whether the wanted image is what runs, by any of its registry's names."""
    if (running.repository, running.digest) != (wanted.repository, wanted.digest):
        return False
    if running.registry == wanted.registry:
        return True
    own = session.registry()
    return all(own.sameness(each.registry) is Sameness.SAME for each in (running, wanted))


def _pinned(running: Sequence[ImageReference], registry: OwnRegistry, service: str) -> ImageReference:
    """The image of the registry among those that a deploy names; all images of the registry must be named by digest."""
    ours = [each for each in running if registry.sameness(each.registry) is Sameness.SAME]
    loose = next((each for each in ours if each.digest is None), None)
    if loose is not None or not ours:
        raise VerifyError(
            f"service {service!r} runs {loose}, which names no digest, so nothing can be proven about it"
            if loose is not None
            else f"service {service!r} runs no image of {registry.host}, so nothing can be proven about it",
            hint="deploy it by digest",
        )
    return registry.own(ours[0])
