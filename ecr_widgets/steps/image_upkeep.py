"""Tags, findings and deletion of images that stand in a repository."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ecr_widgets.errors import ImageInUse, ImageNotFound, InputError, TagImmutable
from ecr_widgets.model.image_reference import ImageReference, check_repository_name, check_tag
from ecr_widgets.model.registry import Image
from ecr_widgets.ports import Ecr
from ecr_widgets.steps.image_uses import UsesOutcome


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


@dataclass(frozen=True, slots=True)
class UnusedOutcome:
    """What could be deleted of a repository, and why the rest stays."""

    repository: str
    deletable: tuple[Image, ...]
    """Oldest first."""
    in_use: Mapping[str, tuple[str, ...]]
    """By digest: what runs or names it."""
    kept_newest: int
    kept_young: int
    changed: bool = False


@dataclass(frozen=True, slots=True)
class DeletedImagesOutcome:
    """What was deleted."""

    repository: str
    deleted: tuple[str, ...]
    """Digests."""
    kept: Mapping[str, str]
    """Why not, by digest, for those that ECR kept."""
    proposed: tuple[str, ...]
    """Digests that would be deleted if it were confirmed."""
    changed: bool


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


def find_unused_images(
    ecr: Ecr,
    repository: str,
    uses: UsesOutcome,
    *,
    registry: str,
    keep_newest: int,
    older_than_days: float,
    now: datetime,
) -> UnusedOutcome:
    """Images that nothing runs or names, that are old, and that are not among the newest.

    Args:
        uses: What Layer0 runs and stores of the repository.

        keep_newest: So many of the images pushed last stay in any case.

        older_than_days: Only images pushed longer ago.
    """
    if keep_newest < 0 or older_than_days < 0:
        raise InputError("keep_newest and older_than_days must not be below 0", hint="give 0 or more")
    images = sorted(_images(ecr, repository), key=lambda each: (each.pushed_at, each.digest), reverse=True)
    in_use = {
        image.digest: by
        for image in images
        if (
            by := tuple(
                use.by for use in uses.uses if use.names(image, repository=repository, registry=registry)
            )
        )
    }
    rest = [image for image in images[keep_newest:] if image.digest not in in_use]
    before = now - timedelta(days=older_than_days)
    old = [image for image in rest if image.pushed_at <= before]
    return UnusedOutcome(
        repository, tuple(reversed(old)), in_use, min(keep_newest, len(images)), len(rest) - len(old)
    )


def check_confirmation(repository: str, typed_name: str) -> None:
    """Refuse a confirmation that is none: whoever typed something meant to delete.

    Raises:
        InputError: Neither empty nor the repository's name.
    """
    if typed_name not in ("", repository):
        raise InputError(
            f"nothing was deleted: {typed_name!r} was typed, and the repository is {repository!r}",
            hint="type its whole name, or nothing to list only",
        )


def delete_images(
    ecr: Ecr, repository: str, digests: Sequence[str], uses: UsesOutcome, *, registry: str, confirmed: bool
) -> DeletedImagesOutcome:
    """Delete images by digest, all their tags with them; never one that runs or that a stored deploy names.

    Args:
        confirmed: Where False, only says what would be deleted.

    Raises:
        ImageInUse: One of them is used; nothing was deleted.
    """
    wanted = frozenset(digests)
    standing = {image.digest: image for image in _images(ecr, repository) if image.digest in wanted}
    check_unused(standing.values(), uses, repository=repository, registry=registry)
    proposed = tuple(digest for digest in digests if digest in standing)
    if not confirmed or not proposed:
        return DeletedImagesOutcome(repository, (), {}, proposed, changed=False)
    # An index goes before its images: ECR keeps what an index names.
    ordered = sorted(proposed, key=lambda digest: "index" not in _kind(standing[digest]))
    kept = ecr.delete_images(repository, ordered)
    deleted = tuple(digest for digest in ordered if digest not in kept)
    return DeletedImagesOutcome(repository, deleted, kept, (), changed=bool(deleted))


def check_unused(images: Collection[Image], uses: UsesOutcome, *, repository: str, registry: str) -> None:
    """Make sure that none of the images is used.

    Raises:
        ImageInUse: The message names the first and what uses it.
    """
    for image in images:
        for use in uses.uses:
            if use.names(image, repository=repository, registry=registry):
                raise ImageInUse(
                    f"{repository}@{image.digest} must not be deleted: {use.by}"
                    f" {'runs it' if use.runs else 'names it'}",
                    hint="move the service to another deploy, or delete the deploy first",
                )


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
    newest = max(_images(ecr, repository), key=lambda image: image.pushed_at, default=None)
    if newest is None:
        raise ImageNotFound(f"repository {repository!r} has no images", hint="push one first")
    return newest


def _images(ecr: Ecr, repository: str) -> list[Image]:
    return [image for page in ecr.list_images(check_repository_name(repository)) for image in page]


def _kind(image: Image) -> str:
    media_type = image.media_type or ""
    return "index" if "index" in media_type or "manifest.list" in media_type else ""
