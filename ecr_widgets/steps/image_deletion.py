"""What could be deleted of a repository, and its deletion; by `image_uses` never what is used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ecr_widgets.errors import ImageInUse, InputError
from ecr_widgets.model.image_parts import Parts, subject_of
from ecr_widgets.model.registry import Image
from ecr_widgets.ports import Ecr
from ecr_widgets.steps.image_upkeep import list_all
from ecr_widgets.steps.image_uses import UsesOutcome, pulled_since, read_parts, used_images


@dataclass(frozen=True, slots=True)
class UnusedOutcome:
    """What could be deleted of a repository, and why the rest stays."""

    repository: str
    deletable: tuple[Image, ...]
    """Oldest first; what belongs to them goes with them and is not listed."""
    in_use: Mapping[str, tuple[str, ...]]
    """By digest: what runs or names it."""
    kept_newest: int
    kept_young: int
    kept_pulled: int
    """Because they were pulled in the last days."""
    kept_orphans: int
    """What says something about images that are not here, such as signatures kept apart from them."""
    parts: int
    """What belongs to those that could be deleted."""
    pulled_within_days: float
    unknown: tuple[str, ...] = ()
    """Why nothing may be called unused."""
    changed: bool = False


@dataclass(frozen=True, slots=True)
class DeletedImagesOutcome:
    """What was deleted."""

    repository: str
    deleted: tuple[str, ...]
    """Digests."""
    parts: tuple[str, ...]
    """Digests of what belonged to them and went, or would go, with them."""
    kept: Mapping[str, str]
    """Why not, by digest, for those that ECR kept."""
    proposed: tuple[str, ...]
    """Digests that would be deleted if it were confirmed."""
    changed: bool


def find_unused_images(
    ecr: Ecr,
    repository: str,
    uses: UsesOutcome,
    *,
    keep_newest: int,
    older_than_days: float,
    pulled_within_days: float,
    now: datetime,
) -> UnusedOutcome:
    """Images that nothing runs or names, that are old, not among the newest, and were not pulled lately.

    Args:
        uses: What Layer0 runs and stores of the repository.

        keep_newest: So many of the images pushed last stay in any case; what belongs to an image is not counted.

        older_than_days: Only images pushed longer ago.

        pulled_within_days: What was pulled in the last days stays; 0 for none.
    """
    if min(keep_newest, older_than_days, pulled_within_days) < 0:
        raise InputError(
            "keep_newest, older_than_days and pulled_within_days must not be below 0", hint="give 0 or more"
        )
    every = sorted(list_all(ecr, repository), key=lambda each: (each.pushed_at, each.digest), reverse=True)
    parts = read_parts(ecr, repository, every)
    in_use = used_images(every, uses, parts)
    own = [image for image in every if image.digest not in parts.owners and image.digest not in parts.orphans]
    rest = [image for image in own[keep_newest:] if image.digest not in in_use]
    before = now - timedelta(days=older_than_days)
    old = [image for image in rest if image.pushed_at <= before and not _may_be_a_part(image, parts)]
    pulled = _lately(every, parts, days_before(now, pulled_within_days))
    unused = () if uses.unknown else tuple(image for image in reversed(old) if image.digest not in pulled)
    return UnusedOutcome(
        repository,
        unused,
        {digest: by for digest, by in in_use.items() if digest not in parts.owners},
        min(keep_newest, len(own)),
        len(rest) - len(old),
        sum(image.digest in pulled for image in old),
        len(parts.orphans),
        len(_gone_with((image.digest for image in unused), every, parts)),
        pulled_within_days,
        uses.unknown,
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
    ecr: Ecr,
    repository: str,
    digests: Sequence[str],
    uses: UsesOutcome,
    *,
    confirmed: bool,
    spare_pulled_since: datetime | None = None,
) -> DeletedImagesOutcome:
    """Delete images by digest, all their tags and all that belongs to them; never one that is used.

    Args:
        confirmed: Where False, only says what would be deleted.

        spare_pulled_since: Refuse where one of them was pulled since; None where that is all the same.

    Raises:
        ImageInUse: One of them is used, or belongs to an image that stays; nothing was deleted.
    """
    every = list_all(ecr, repository)
    standing = {image.digest: image for image in every}
    proposed = tuple(digest for digest in dict.fromkeys(digests) if digest in standing)
    if not proposed:
        return DeletedImagesOutcome(repository, (), (), {}, (), changed=False)
    parts = read_parts(ecr, repository, every)
    going = _gone_with(proposed, every, parts)
    check_unused(repository, (*proposed, *going), used_images(every, uses, parts), uses)
    _check_whole(repository, [standing[digest] for digest in proposed], parts, frozenset((*proposed, *going)))
    pulled = _lately(every, parts, spare_pulled_since)
    for digest in proposed:
        if digest in pulled:
            raise ImageInUse(
                f"{repository}@{digest} must not be deleted: it was pulled meanwhile", hint="look again"
            )
    if not confirmed:
        return DeletedImagesOutcome(repository, (), going, {}, proposed, changed=False)
    kept: dict[str, str] = {}
    deleted: list[str] = []
    # An image goes before what belongs to it, which would be lost for nothing where ECR keeps the image; and ECR keeps
    # what an index names as long as there is the index.
    for wave in _waves((*proposed, *going), parts):
        wanted = [
            each for each in wave if parts.owners.get(each, frozenset()) & standing.keys() <= {*deleted}
        ]
        answer = ecr.delete_images(repository, wanted) if wanted else {}
        kept |= answer
        deleted += [digest for digest in wanted if digest not in answer]
    return DeletedImagesOutcome(
        repository,
        tuple(digest for digest in deleted if digest in proposed),
        tuple(digest for digest in deleted if digest not in proposed),
        kept,
        (),
        changed=bool(deleted),
    )


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
            hint="delete that deploy or store it anew, or end what runs it",
        )
    for digest in digests:
        if digest in used:
            raise ImageInUse(
                f"{repository}@{digest} must not be deleted: it is used by {'; '.join(used[digest])}",
                hint="move the service to another deploy, or delete the deploy first",
            )


def _check_whole(repository: str, images: Iterable[Image], parts: Parts, going: frozenset[str]) -> None:
    for image in images:
        staying = parts.owners.get(image.digest, frozenset()) - going
        if staying:
            raise ImageInUse(
                f"{repository}@{image.digest} must not be deleted: it belongs to {min(staying)}"
                f" ({parts.kinds.get(image.digest)})",
                hint="delete that image, and this goes with it",
            )
        if _may_be_a_part(image, parts):
            raise ImageInUse(
                f"{repository}@{image.digest} must not be deleted: it may belong to {min(parts.unread)}, which cannot be read",
                hint="find out why that index cannot be read",
            )


def _may_be_a_part(image: Image, parts: Parts) -> bool:
    """Whether it could be one of the images of an index that nobody can read."""
    return bool(parts.unread) and not image.tags and image.digest not in parts.unread


def _gone_with(digests: Iterable[str], every: Iterable[Image], parts: Parts) -> tuple[str, ...]:
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


def _waves(digests: Iterable[str], parts: Parts) -> list[list[str]]:
    """The digests, each in a later wave than what it belongs to."""
    rest, waves = dict.fromkeys(digests), []
    while rest:
        wave = [digest for digest in rest if not parts.owners.get(digest, frozenset()) & rest.keys()]
        waves.append(wave or list(rest))  # only tags can make a circle
        for digest in waves[-1]:
            del rest[digest]
    return waves


def days_before(now: datetime, days: float) -> datetime | None:
    """So many days ago; None for 0, which means that no day counts."""
    return now - timedelta(days=days) if days else None


def _lately(every: Iterable[Image], parts: Parts, since: datetime | None) -> frozenset[str]:
    return frozenset() if since is None else pulled_since(every, parts, since)
