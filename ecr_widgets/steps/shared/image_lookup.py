"""Images of a repository by tag or digest."""

from __future__ import annotations

from ecr_widgets.errors import ImageNotFound, RepositoryNotFound
from ecr_widgets.model.image_reference import ImageReference, check_repository_name
from ecr_widgets.model.registry import Image
from ecr_widgets.ports import Ecr, Registry
from ecr_widgets.steps.shared.nearest import nearest_tag
from ecr_widgets.steps.shared.registry_session import RegistrySession, StepSession


def require_image(ecr: Ecr, repository: str, reference: str) -> Image:
    """The image with this tag or digest.

    Raises:
        ImageNotFound: The repository has no such image.
    """
    image = ecr.find_image(check_repository_name(repository), reference)
    if image is None:
        raise ImageNotFound(
            f"repository {repository!r} has no image {reference!r}",
            hint=nearest_tag(ecr, repository, reference, "list its images with kit.images()"),
        )
    return image


def list_all(ecr: Ecr, repository: str) -> list[Image]:
    """Every image of a repository, in no particular order."""
    return [image for page in ecr.list_images(check_repository_name(repository)) for image in page]


def find_tagged(
    registry: Registry, session: RegistrySession | StepSession, image: ImageReference
) -> str | None:
    """The digest that a tag names now; None if there is no such tag or no such repository."""
    try:
        return session.use(lambda token: registry.find_digest(image, token))
    except RepositoryNotFound:
        return None
