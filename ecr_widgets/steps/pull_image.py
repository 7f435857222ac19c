"""Pull an image from the registry to the engine."""

from __future__ import annotations

from dataclasses import dataclass

from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.ports import Engine, ProgressSink, ignore_progress
from ecr_widgets.steps.login import RegistrySession


@dataclass(frozen=True, slots=True)
class PullOutcome:
    """The local image; `image` names it by the digest it was pulled by."""

    image: ImageReference
    image_id: str
    changed: bool


def pull_image(
    engine: Engine,
    session: RegistrySession,
    image: ImageReference,
    *,
    progress: ProgressSink = ignore_progress,
) -> PullOutcome:
    """Pull the image.

    Raises:
        ImageNotFound: The registry has no such image.

        AuthorizationError: The token was refused, and so was a new one.
    """
    before = engine.find_image_id(str(image))
    image_id = session.use(lambda token: engine.pull(image, token, progress=progress))
    digests = [known for known in engine.pushed_digests(image_id) if known.name == image.name]
    pinned = next(
        (known for known in digests if known.digest == image.digest), digests[0] if digests else image
    )
    return PullOutcome(pinned, image_id, changed=before != image_id)
