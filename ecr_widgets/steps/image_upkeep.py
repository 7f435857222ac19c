"""Tags and findings of images that stand in a repository."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ecr_widgets.errors import ImageNotFound, TagImmutable
from ecr_widgets.model.image_parts import subject_of
from ecr_widgets.model.image_reference import ImageReference, check_repository_name, check_tag
from ecr_widgets.model.registry import Image
from ecr_widgets.ports import Ecr


@dataclass(frozen=True, slots=True)
class TagOutcome:
    """The image under its new tag."""

    image: ImageReference
    digest: str
    tag: str
    previous_digest: str | None
    changed: bool


@dataclass(frozen=True, slots=True)
class FindingsOutcome:
    """What a scan found."""

    digest: str
    status: str
    counts: Mapping[str, int]
    scanned_at: datetime | None
    changed: bool = False


def tag_image(ecr: Ecr, registry: str, repository: str, reference: str, tag: str) -> TagOutcome:
    """Set another tag on an image, without pulling it.

    Args:
        reference: Tag or digest that the image has.

    Raises:
        ImageNotFound: The repository has no such image.

        TagImmutable: The tag names another image and must not move.
    """
    image = require_image(ecr, repository, reference)
    standing = ecr.find_image(repository, check_tag(tag))
    previous = standing.digest if standing is not None else None
    if previous != image.digest:
        try:
            ecr.tag_image(repository, image.digest, tag)
        except TagImmutable as error:
            raise TagImmutable(
                f"tag {tag!r} of {repository} names {previous} and cannot be moved to {image.digest}:"
                " the repository's tags are immutable",
                standing=previous or "",
                wanted=image.digest,
                hint="set a new tag",
            ) from error
    named = ImageReference(registry, repository, tag=tag).with_digest(image.digest)
    return TagOutcome(named, image.digest, tag, previous, changed=previous != image.digest)


def find_findings(ecr: Ecr, repository: str, reference: str) -> FindingsOutcome:
    """What a scan found in an image; status `NOT_SCANNED` where none was made.

    Args:
        reference: Tag or digest; empty for the image that was pushed last.

    Raises:
        ImageNotFound: The repository has no such image, or none at all.
    """
    image = require_image(ecr, repository, reference) if reference else _newest(ecr, repository)
    found = ecr.find_findings(repository, image.digest)
    if found is None:
        return FindingsOutcome(image.digest, "NOT_SCANNED", {}, None)
    return FindingsOutcome(image.digest, found.status, found.counts, found.scanned_at)


def require_image(ecr: Ecr, repository: str, reference: str) -> Image:
    """The image that a tag or digest names.

    Raises:
        ImageNotFound: The repository has no such image.
    """
    found = ecr.find_image(check_repository_name(repository), reference)
    if found is None:
        raise ImageNotFound(
            f"repository {repository!r} has no image {reference!r}", hint="list its images with kit.images()"
        )
    return found


def _newest(ecr: Ecr, repository: str) -> Image:
    images = [image for image in list_all(ecr, repository) if subject_of(image) is None]
    # The images of an index are pushed in the same second, mostly without a tag.
    newest = max(images, key=lambda image: (image.pushed_at, bool(image.tags)), default=None)
    if newest is None:
        raise ImageNotFound(f"repository {repository!r} has no images", hint="push one first")
    return newest


def list_all(ecr: Ecr, repository: str) -> list[Image]:
    """Every image of a repository, in no particular order."""
    return [image for page in ecr.list_images(check_repository_name(repository)) for image in page]
