"""What may be deleted of a repository, by `image_uses` never what is used, and what is deleted with it."""

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
        used: What `used_images` found of the uses.

    Raises:
        ImageInUse: The message names the first and what uses it, or what cannot be told.
    """
    if uses.unknown:
        raise ImageInUse(
            f"nothing of {repository} may be deleted, since what is used cannot be told: {uses.unknown[0]}",
            hint="delete that deploy or store it again, or end what runs it",
        )
    for digest in digests:
        if digest in used:
            raise ImageInUse(
                f"{repository}@{digest} must not be deleted: it is used by {'; '.join(used[digest])}",
                hint="move the service to another deploy, or delete the deploy first",
            )


def may_be_a_part(image: Image, parts: Parts) -> bool:
    """Whether it could be one of the images of an index that nobody can read."""
    return bool(parts.unread) and not image.tags and image.digest not in parts.unread


def deleted_with(digests: Iterable[str], every: Iterable[Image], parts: Parts) -> tuple[str, ...]:
    """What goes with these: all that belongs to nothing else and is no image of its own."""
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
    """So many days ago; None for 0, which means that no day counts."""
    return now - timedelta(days=days) if days else None


def pulled_lately(every: Iterable[Image], parts: Parts, since: datetime | None) -> frozenset[str]:
    """Digests of what was pulled since then; None where that is all the same."""
    return frozenset() if since is None else pulled_since(every, parts, since)
