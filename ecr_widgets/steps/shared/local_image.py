"""A local image compared with what a registry holds: the one place that decides whether both are the same.

An image has two digests, of its configuration and of its manifest, and engines differ in which of them they call its id.
The configuration is the same in every push; the manifest is written by the engine that pushes.

Source: OCI image specification, "Image Manifest", "Image Index".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ecr_widgets.errors import ImageNotFound, InvalidReference, RepositoryNotFound
from ecr_widgets.model.engine_facts import EngineFacts
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.ports import Engine, Registry
from ecr_widgets.steps.shared.registry_session import StepSession


@dataclass(frozen=True, slots=True)
class LocalImage:
    """One image on one engine."""

    source: str
    """The name or id that it was asked for by."""
    image_id: str
    engine: EngineFacts
    known_as: tuple[ImageReference, ...]
    """Its references by digest, as far as the engine knows; only the registry knows what it serves there."""
    is_image: bool
    """Whether the engine says that it is not an index; False if it does not say."""

    @classmethod
    def find(cls, engine: Engine, source: str) -> LocalImage:
        """Look it up on the engine.

        Raises:
            ImageNotFound: No such local image.
        """
        held = engine.look_at(source)
        if held is None:
            raise ImageNotFound(f"no local image {source!r} on the engine", hint="build or pull it first")
        facts = engine.facts()
        is_image = facts.ids_are_manifests and held.is_index is False
        return cls(source, held.image_id, facts, held.known_as, is_image)

    @property
    def digest(self) -> str | None:
        """The digest that a registry will give it; None if that is not known before a push."""
        return self.image_id if self.engine.ids_are_manifests else None

    def is_served_as(self, image: ImageReference, registry: Registry, step: StepSession) -> bool:
        """Whether what the registry serves by this digest is this image."""
        if image.digest == self.image_id or any(
            (known.name, known.digest) == (image.name, image.digest) for known in self.known_as
        ):
            return True
        return step.use(lambda token: registry.find_image_id(image, token)) == self.image_id

    def index_to_copy(
        self, target: ImageReference, registry: Registry, step: StepSession, *, is_own: Callable[[str], bool]
    ) -> ImageReference | None:
        """The index in the target's registry that the local image was pulled from; None if it is a single image.

        An engine that holds one image of an index only pushes that one, so an index has to be copied by its digest.

        Args:
            is_own: Whether a host is another name of the target's registry.
        """
        if self.is_image:
            return None
        here = {
            each.digest: replace(each, registry=target.registry)
            for each in self.known_as
            if each.registry == target.registry or (each.registry and is_own(each.registry))
        }
        if (named := self._named(target, registry, step)) in here:
            here = {named: here[named]}
        served = [(each, _children(each, registry, step)) for each in here.values()]
        if any(children == 0 for _, children in served):
            return None
        indexes = [each for each, children in served if children]
        return indexes[0] if len(indexes) == 1 else None

    def _named(self, target: ImageReference, registry: Registry, step: StepSession) -> str | None:
        """The digest that the image was asked for by, or that its name has in the target's registry; None if neither."""
        try:
            source = ImageReference.parse(self.source)
        except InvalidReference:
            return None
        if source.digest is not None or source.registry != target.registry:
            return source.digest
        try:
            return step.use(lambda token: registry.find_digest(source, token))
        except RepositoryNotFound:
            return None


def _children(image: ImageReference, registry: Registry, step: StepSession) -> int | None:
    """How many manifests an index has; 0 for a single image, None if the registry has neither."""
    try:
        if step.use(lambda token: registry.find_image_id(image, token)) is not None:
            return 0
        return len(step.use(lambda token: registry.read_details(image, token)).children)
    except (ImageNotFound, RepositoryNotFound):
        # A name that was given on this engine, and never pushed.
        return None
