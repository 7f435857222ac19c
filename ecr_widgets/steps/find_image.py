"""Pin an image that the registry has already."""

from __future__ import annotations

from ecr_widgets.errors import ImageNotFound
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.ports import Registry
from ecr_widgets.steps.login import RegistrySession
from ecr_widgets.steps.push_image import PushOutcome


def find_image(registry: Registry, session: RegistrySession, image: ImageReference) -> PushOutcome:
    """The image by digest, as if it had just been pushed.

    Args:
        image: Reference in the registry, by tag or digest.

    Raises:
        ImageNotFound: The repository has no such image.

        RepositoryNotFound: The repository does not exist.
    """
    digest = session.use(lambda token: registry.find_digest(image, token))
    if digest is None:
        raise ImageNotFound(f"{image} is not in the registry", hint="push it first, or check tag and digest")
    return PushOutcome(image.with_digest(digest), digest, image.tag or "", changed=False)
