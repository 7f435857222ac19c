"""Pull an image from the registry to the engine."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar

from ecr_widgets.errors import EngineError, ImageNotFound, RegistryError, RepositoryNotFound
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.ports import ProgressSink, Registry
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.registry_session import StepSession
from ecr_widgets.steps.shared.repeats import Repeats, persist
from ecr_widgets.steps.step import NOT_YET, Step


@dataclass(frozen=True, slots=True)
class PullOutcome:
    """The local image; `image` names it by the digest it was pulled by."""

    image: ImageReference
    image_id: str
    changed: bool
    repeated: tuple[str, ...] = field(default=(), kw_only=True)
    """What had to be retried, and why: one text for each retry."""


@dataclass(frozen=True, slots=True)
class Pullable:
    """What was found before the pull."""

    image: ImageReference
    pinned: ImageReference
    """The same image by digest."""
    image_id: str | None
    """What the engine has under that name."""
    step: StepSession


@dataclass(frozen=True)
class PullImage(Step[Pullable, PullOutcome]):
    """Pull an image by tag or digest from the account's registry.

    A tag is resolved first; then the image is pulled by digest and tagged. So the outcome's digest is the registry's own on
    every engine, and the tag cannot move in between.

    Raises:
        ImageNotFound: The registry has no such image.

        AuthorizationError: The token was refused, and so was a new one.
    """

    asks: ClassVar = ("Docker Engine: POST /images/create",)

    repository: str
    reference: str

    def look(self, outside: Outside, progress: ProgressSink) -> Pullable:
        image = outside.reference(self.repository, self.reference)
        step = outside.session.for_step()
        digest = image.digest or step.use(lambda token: _digest(outside.registry, image, token))
        return Pullable(image, image.with_digest(digest), outside.engine.find_image_id(str(image)), step)

    def plan(self, outside: Outside, found: Pullable) -> PullOutcome:
        return PullOutcome(found.pinned, found.image_id or NOT_YET, changed=found.image_id is None)

    def act(self, outside: Outside, found: Pullable, progress: ProgressSink) -> PullOutcome:
        engine, pinned, watched = outside.engine, found.pinned, Repeats(progress)

        def pull() -> str:
            return found.step.use(lambda token: engine.pull(pinned, token, progress=watched))

        try:
            image_id = persist("pull", pull, clock=outside.clock, progress=watched)
        except EngineError as error:
            if found.step.use(lambda token: _is_no_image(outside.registry, pinned, token)):
                raise EngineError(
                    f"{found.image} is not an image that an engine can store: it is an attestation, a signature or the like",
                    hint="pull the image that it belongs to",
                ) from error
            raise
        if found.image.digest is None:
            engine.tag(str(pinned), found.image)
        return PullOutcome(pinned, image_id, changed=found.image_id != image_id, repeated=watched.repeats)


def _is_no_image(registry: Registry, pinned: ImageReference, token: AuthorizationToken) -> bool:
    with suppress(RegistryError):
        details = registry.read_details(pinned, token)
        return not details.children and details.platform in ("", "unknown/unknown")
    return False


def _digest(registry: Registry, image: ImageReference, token: AuthorizationToken) -> str:
    try:
        digest = registry.find_digest(image, token)
    except RepositoryNotFound as error:
        raise ImageNotFound(f"the registry has no image {image}: {error.message}", hint=error.hint) from error
    if digest is None:
        raise ImageNotFound(f"the registry has no image {image}", hint="check repository, tag and region")
    return digest
