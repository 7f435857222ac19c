"""Pull an image from the registry to the engine."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from ecr_widgets.errors import EngineError, ImageNotFound, RegistryError, RepositoryNotFound
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.ports import Engine, ProgressSink, Registry, ignore_progress
from ecr_widgets.steps.login import RegistrySession


@dataclass(frozen=True, slots=True)
class PullOutcome:
    """The local image; `image` names it by the digest it was pulled by."""

    image: ImageReference
    image_id: str
    changed: bool


def pull_image(
    engine: Engine,
    registry: Registry,
    session: RegistrySession,
    image: ImageReference,
    *,
    progress: ProgressSink = ignore_progress,
) -> PullOutcome:
    """Pull the image: a tag is resolved first, and what it names is pulled by digest and gets the tag afterwards.

    So the outcome's digest is the registry's own on every engine, and nothing can move in between.

    Raises:
        ImageNotFound: The registry has no such image.

        AuthorizationError: The token was refused, and so was a new one.
    """
    step = session.for_step()
    digest = image.digest or step.use(lambda token: _digest(registry, image, token))
    pinned = image.with_digest(digest)
    before = engine.find_image_id(str(image))
    try:
        image_id = step.use(lambda token: engine.pull(pinned, token, progress=progress))
    except EngineError as error:
        if step.use(lambda token: _is_no_image(registry, pinned, token)):
            raise EngineError(
                f"{image} is no image that an engine can hold: it is an attestation, a signature or the like",
                hint="pull the image that it belongs to",
            ) from error
        raise
    if image.digest is None:
        engine.tag(str(pinned), image)
    return PullOutcome(pinned, image_id, changed=before != image_id)


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
