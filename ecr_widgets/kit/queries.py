"""Queries that leave no record: what panels show before the user does anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ecr_widgets.dockerrun.diff import contents, diff
from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.dockerrun.images import container_images
from ecr_widgets.errors import EcrWidgetsError, EntityNotFound, InputError, InvalidDockerrun
from ecr_widgets.model.evidence import ImageEvidence
from ecr_widgets.model.image_parts import Parts
from ecr_widgets.model.image_reference import ImageReference, check_repository_name
from ecr_widgets.model.registry import Image, ImageDetails, ImagePage, Repository
from ecr_widgets.ports import ignore_progress
from ecr_widgets.ports.services import Services
from ecr_widgets.steps.create_deploy import read_dockerrun
from ecr_widgets.steps.shared.image_uses import UsesOutcome, find_uses, read_parts, used_images
from ecr_widgets.steps.shared.lifecycle_policy import (
    counting_lines,
    expiry_lines,
    policy_lines,
    simple_lifecycle_policy,
)
from ecr_widgets.steps.shared.local_image import LocalImage
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.service_lookup import find_environment
from ecr_widgets.steps.shared.service_view import ServiceView, look_at_service

_NOT_COMPARED = (
    "what is stored is not a Dockerrun that this tool would write, so the difference cannot be shown: {}"
)


class Queries:
    """What `kit.look` offers; none of it changes anything."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    def repositories(self) -> tuple[Repository, ...]:
        """All repositories of the account's registry."""
        return self._outside.ecr.list_repositories()

    def images(self, repository: str) -> Iterator[ImagePage]:
        """All images of a repository, page by page."""
        return self._outside.ecr.list_images(self.repository(repository))

    def repository(self, name: str) -> str:
        """Return the registry's name for a repository that the user named.

        Raises:
            InvalidReference: It is in another registry, or ECR would refuse the name.
        """
        return check_repository_name(self._outside.session.repository(name))

    def dropped_exceptions(self, repository: str, exceptions: tuple[str, ...] | None) -> tuple[str, ...]:
        """Which exceptions a change to the tag rule would drop, as one line; empty if none.

        Args:
            exceptions: The requested exceptions; None if the rule does not change.
        """
        current = self._outside.ecr.find_repository(self.repository(repository))
        if current is None or exceptions is None:
            return ()
        dropped = [each for each in current.tag_exceptions if each not in exceptions]
        return (
            (f"tags are '{current.tag_rule}' now; {', '.join(dropped)} would be dropped",) if dropped else ()
        )

    def registry(self) -> str:
        """The host name of the account's registry."""
        return self._outside.session.token().registry

    def local_image(self, name: str) -> LocalImage:
        """An image on the engine, by its name or id.

        Raises:
            ImageNotFound: No such local image.

            EngineUnavailable: No engine answers.
        """
        return LocalImage.find(self._outside.engine, name)

    def details(self, repository: str, digest: str) -> ImageDetails:
        """The platform of an image, or the images that an index lists."""
        image = ImageReference(self.registry(), repository).with_digest(digest)
        return self._outside.session.use(lambda token: self._outside.registry.read_details(image, token))

    def running(self, repository: str) -> UsesOutcome:
        """Services and tasks that run images of a repository, on all deploy targets."""
        targets = self._outside.connections.targets()
        return find_uses(targets, repository, registry=self._outside.session.registry(), stored=False)

    def evidence(self, repository: str, digest: str) -> ImageEvidence:
        """What runs did with an image, read from what is attached to it in the registry; ECR counts this as pulls."""
        image = ImageReference(self.registry(), self.repository(repository)).with_digest(digest)
        outside = self._outside
        return outside.session.use(
            lambda token: outside.connections.gate.evidence_of(image, outside.registry, token)
        )

    def parts(self, repository: str, images: Iterable[Image]) -> Parts:
        """Which of a repository's images belong together; ECR counts this as a pull of each index."""
        return read_parts(self._outside.ecr, self.repository(repository), images)

    def image(self, repository: str, reference: str) -> Image | None:
        """The image that a tag or digest currently names, or None. ECR does not count this as a pull."""
        return self._outside.ecr.find_image(self.repository(repository), reference)

    def lifecycle_plan(
        self, repository: str, *, untagged_days: int = 0, keep_newest: int = 0
    ) -> tuple[str, ...]:
        """What the simple rules would replace and expire, one line each.

        Raises:
            InputError: Neither rule is requested, or a number is below 0.
        """
        policy = simple_lifecycle_policy(untagged_days=untagged_days, keep_newest=keep_newest)
        if policy is None:
            raise InputError("no rule is given", hint="give untagged_days or keep_newest a number above 0")
        current = self._outside.ecr.find_lifecycle_policy(self.repository(repository))
        repository = self.repository(repository)
        expiring = self._outside.ecr.preview_lifecycle_policy(repository, policy)
        running: Mapping[str, tuple[str, ...]] = {}
        used: Mapping[str, tuple[str, ...]] = {}
        images = [image for page in self.images(repository) for image in page]
        parts = self.parts(repository, images) if expiring else Parts.of((), {})
        try:
            uses = self._outside.uses(repository, ignore_progress)
            unknown = tuple(f"what runs is not known: {why}" for why in uses.unknown)
            if expiring:
                running = used_images(images, replace(uses, uses=uses.running), parts)
                used = used_images(images, uses, parts)
        except EcrWidgetsError as error:
            unknown = (f"what runs is not known: {error.message}",)
        return (
            *policy_lines(current, policy),
            *expiry_lines(expiring, running, used, images, parts),
            *counting_lines(policy, images),
            *unknown,
        )

    def environments(self) -> tuple[str, ...]:
        """Names of the environments on all deploy targets that can be read."""
        names: list[str] = []
        for target in self._outside.connections.targets():
            with suppress(EcrWidgetsError):
                names += (each.name for each in target.list_environments())
        return tuple(names)

    def services(self, environment: str) -> tuple[str, ...]:
        """Names of the services in an environment.

        Raises:
            EntityNotFound: No such environment.
        """
        services = self._outside.services_of(environment)
        place = find_environment(services, environment)
        return tuple(each.name for each in services.list_services(place.environment_id))

    def service(self, environment: str, service: str) -> ServiceView:
        """The current view of a service."""
        proven = self._outside.connections.proven_deploys
        return look_at_service(self._outside.services_of(environment), environment, service, proven)

    def target(self, environment: str) -> Services:
        """The deploy target of an environment, for reading."""
        return self._outside.services_of(environment)

    def deploy_images(self, environment: str, deploy_id: str) -> tuple[str, ...]:
        """The images that a stored deploy names; empty if it was deleted or they cannot be read."""
        with suppress(EntityNotFound, InvalidDockerrun):
            document = self._outside.services_of(environment).read_deploy(deploy_id).dockerrun
            return tuple(image for _, image in container_images(document or b"{}"))
        return ()

    def pinned(self, repository: str, reference: str) -> ImageReference:
        """An image of the account's registry by digest, or without one if the registry does not have it.

        Args:
            reference: Tag or digest.
        """
        image = self._outside.reference(repository, reference)
        digest = self._outside.session.use(lambda token: self._outside.registry.find_digest(image, token))
        return image.with_digest(digest) if digest else replace(image, digest=None)

    def between(self, environment: str, deploy_id: str, other_id: str) -> tuple[str, ...]:
        """The differences between two stored deploys, one line per place."""
        services = self._outside.services_of(environment)
        one, other = (services.read_deploy(each).dockerrun or b"" for each in (deploy_id, other_id))
        try:
            changes = diff(*(Dockerrun.stored(each, services.dialect()) for each in (one, other)))
            return tuple(map(str, changes))
        except InvalidDockerrun as error:
            # Stored by other tools, but it may well run: show the images of both instead.
            return (
                _NOT_COMPARED.format(error.why),
                *_images_in(one, "stands on"),
                *_images_in(other, "goes to"),
            )

    def difference(
        self,
        environment: str,
        deploy_id: str | None,
        dockerrun: str | Path,
        image: ImageReference,
        *,
        container: str | None = None,
    ) -> tuple[str, ...]:
        """What a Dockerrun with this image would change in a stored deploy, one line per place.

        Args:
            deploy_id: The service's deploy; None if it is new: the whole Dockerrun is then listed.

            dockerrun: A file; empty to use that deploy's own document.

        Raises:
            InputError: The file cannot be read, or neither a file nor a deploy is given.

            InvalidDockerrun: Not a Dockerrun, or it has no such container.
        """
        services = self._outside.services_of(environment)
        current = services.read_deploy(deploy_id).dockerrun if deploy_id else None
        if dockerrun:
            content = self._outside.files.read(dockerrun)
            read = read_dockerrun(dockerrun, content, container, None, services.dialect())
        elif current is not None:
            read = Dockerrun.stored(current, services.dialect())
        else:
            raise InputError("the service runs nothing yet", hint="give a Dockerrun as a file")
        wanted = read.with_image(image, container=container)
        if current is None:
            return tuple(map(str, contents(wanted)))
        try:
            return tuple(map(str, diff(Dockerrun.stored(current, services.dialect()), wanted)))
        except InvalidDockerrun as error:
            lines = (_NOT_COMPARED.format(error.why), *_images_in(current, "stands on"))
            return (*lines, *map(str, contents(wanted)))


def _images_in(document: bytes, verb: str) -> Iterator[str]:
    with suppress(InvalidDockerrun):
        for name, image in container_images(document):
            yield f"container {name} {verb} {image}"
