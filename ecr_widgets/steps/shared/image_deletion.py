"""What may be deleted from a repository (never what is used, by `image_uses`), and what is deleted with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from ecr_widgets.errors import ImageInUse
from ecr_widgets.model.image_parts import Parts, subject_of
from ecr_widgets.model.registry import Image
from ecr_widgets.steps.shared.image_uses import UsesOutcome, pulled_since


def check_unused(
    repository: str, digests: Iterable[str], used: Mapping[str, tuple[str, ...]], uses: UsesOutcome
) -> None:
    """Make sure that none of the images is used.

    Args:
        used: What `used_images` returned for the uses.

    Raises:
        ImageInUse: The message names the first one and what uses it, or what is not known.
    """
    if uses.unknown:
        raise ImageInUse(
            f"nothing of {repository} may be deleted, since it is not known what is used: {uses.unknown[0]}",
            hint="delete that deploy or store it again, or end what runs it",
        )
    for digest in digests:
        if digest in used:
            raise ImageInUse(
                f"{repository}@{digest} must not be deleted: it is used by {'; '.join(used[digest])}",
                hint="move the service to another deploy, or delete the deploy first",
            )


def may_be_a_part(image: Image, parts: Parts) -> bool:
    """Whether it could be one of the images of an index that cannot be read."""
    return bool(parts.unread) and not image.tags and image.digest not in parts.unread


def deleted_with(digests: Iterable[str], every: Iterable[Image], parts: Parts) -> tuple[str, ...]:
    """What is deleted with these: everything that belongs to nothing else and is not an image in its own right."""
    going = frozenset(digests)
    images = {image.digest: image for image in every}
    asked = going
    while True:
        more = {
            part
            for part in parts.below(going) - going
            if parts.owners[part] <= going and (not images[part].tags or subject_of(images[part]) is not None)
        }
        if not more:
            return tuple(sorted(going - asked))
        going |= more


def days_before(now: datetime, days: float) -> datetime | None:
    """The time that many days ago; None for 0, which means no limit."""
    return now - timedelta(days=days) if days else None


def pulled_lately(every: Iterable[Image], parts: Parts, since: datetime | None) -> frozenset[str]:
    """Digests of what was pulled since then; empty if `since` is None."""
    return frozenset() if since is None else pulled_since(every, parts, since)
