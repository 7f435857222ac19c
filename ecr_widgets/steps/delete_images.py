"""Delete images of a repository."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import ClassVar, Self

from ecr_widgets.errors import ImageInUse, InputError
from ecr_widgets.model.image_parts import Parts
from ecr_widgets.model.registry import Image
from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.find_unused_images import UnusedOutcome
from ecr_widgets.steps.shared.image_deletion import (
    check_unused,
    days_before,
    deleted_with,
    may_be_a_part,
    pulled_lately,
)
from ecr_widgets.steps.shared.image_lookup import list_all
from ecr_widgets.steps.shared.image_uses import read_parts, used_images
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.step import Step, unrecorded


@dataclass(frozen=True, slots=True)
class DeletedImagesOutcome:
    """What was deleted."""

    repository: str
    deleted: tuple[str, ...]
    """Digests."""
    parts: tuple[str, ...]
    """Digests of what belonged to them and was, or would be, deleted with them."""
    kept: Mapping[str, str]
    """Why ECR kept an image, by digest."""
    proposed: tuple[str, ...]
    """Digests that would be deleted if it were confirmed."""
    changed: bool


@dataclass(frozen=True, slots=True)
class Deletable:
    """What may be deleted now."""

    images: tuple[str, ...]
    """Digests of those requested that exist."""
    with_them: tuple[str, ...]
    """Digests of what only belongs to them."""
    existing: frozenset[str]
    """Digests of all images of the repository."""
    parts: Parts


@dataclass(frozen=True)
class DeleteImages(Step[Deletable, DeletedImagesOutcome]):
    """Delete images with everything that belongs to them; never a used image, whatever was found earlier.

    Args:
        unused: What `find_unused_images` returned, or digests.

        typed_name: The repository's name once more; if it is empty, nothing is deleted, and the record says what
            would be.

    Raises:
        InputError: Another name was typed.

        ImageInUse: One of them is used, was pulled meanwhile, or belongs to an image that stays; nothing was deleted.
    """

    asks: ClassVar = ("ECR: BatchDeleteImage",)

    repository: str
    unused: UnusedOutcome | Sequence[str]
    _: KW_ONLY
    typed_name: str = unrecorded()

    def resolved(self, outside: Outside) -> Self:
        name = outside.session.repository(self.repository)
        # The same text given twice means the same name.
        typed = name if self.typed_name == self.repository else self.typed_name
        return replace(self, repository=name, typed_name=typed)

    @property
    def digests(self) -> list[str]:
        """Digests of the requested images."""
        if isinstance(self.unused, UnusedOutcome):
            return [image.digest for image in self.unused.deletable]
        return [*self.unused]

    @property
    def confirmed(self) -> bool:
        """Whether the name was typed."""
        return self.typed_name == self.repository

    def inputs(self, outside: Outside) -> dict[str, object]:
        return {"repository": self.repository, "digests": self.digests, "confirmed": self.confirmed}

    def look(self, outside: Outside, progress: ProgressSink) -> Deletable:
        if self.typed_name not in ("", self.repository):
            # Somebody who typed something meant to delete.
            raise InputError(
                f"nothing was deleted: {self.typed_name!r} was typed, and the repository is {self.repository!r}",
                hint="type its full name, or nothing to only list",
            )
        # Read again: what was unused then may run now.
        uses = outside.uses(self.repository, progress)
        every = list_all(outside.ecr, self.repository)
        images = {image.digest: image for image in every}
        proposed = tuple(digest for digest in dict.fromkeys(self.digests) if digest in images)
        if not proposed:
            return Deletable((), (), frozenset(images), Parts.of((), {}))
        parts = read_parts(outside.ecr, self.repository, every)
        with_them = deleted_with(proposed, every, parts)
        check_unused(self.repository, (*proposed, *with_them), used_images(every, uses, parts), uses)
        _check_whole(
            self.repository,
            [images[digest] for digest in proposed],
            parts,
            frozenset((*proposed, *with_them)),
        )
        # Images given by digest are deleted even if they were pulled recently.
        since = (
            days_before(outside.clock.now(), self.unused.pulled_within_days)
            if isinstance(self.unused, UnusedOutcome)
            else None
        )
        pulled = pulled_lately(every, parts, since)
        for digest in proposed:
            if digest in pulled:
                raise ImageInUse(
                    f"{self.repository}@{digest} must not be deleted: it was pulled meanwhile",
                    hint="look again",
                )
        return Deletable(proposed, with_them, frozenset(images), parts)

    def plan(self, outside: Outside, found: Deletable) -> DeletedImagesOutcome:
        return DeletedImagesOutcome(
            self.repository,
            (),
            found.with_them,
            {},
            found.images,
            changed=self.confirmed and bool(found.images),
        )

    def act(self, outside: Outside, found: Deletable, progress: ProgressSink) -> DeletedImagesOutcome:
        if not self.confirmed or not found.images:
            return self.plan(outside, found)
        kept: dict[str, str] = {}
        deleted: list[str] = []
        # An image is deleted before what belongs to it, which would be lost for nothing if ECR keeps the image; and ECR keeps
        # the images of an index as long as the index exists.
        for wave in _waves((*found.images, *found.with_them), found.parts):
            wanted = [
                each
                for each in wave
                if found.parts.owners.get(each, frozenset()) & found.existing <= {*deleted}
            ]
            answer = outside.ecr.delete_images(self.repository, wanted) if wanted else {}
            kept |= answer
            deleted += [digest for digest in wanted if digest not in answer]
        return DeletedImagesOutcome(
            self.repository,
            tuple(digest for digest in deleted if digest in found.images),
            tuple(digest for digest in deleted if digest not in found.images),
            kept,
            (),
            changed=bool(deleted),
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
        if may_be_a_part(image, parts):
            raise ImageInUse(
                f"{repository}@{image.digest} must not be deleted: it may belong to {min(parts.unread)}, which cannot be read",
                hint="find out why that index cannot be read",
            )


def _waves(digests: Iterable[str], parts: Parts) -> list[list[str]]:
    """The digests, each in a later wave than what it belongs to."""
    rest, waves = dict.fromkeys(digests), []
    while rest:
        wave = [digest for digest in rest if not parts.owners.get(digest, frozenset()) & rest.keys()]
        waves.append(wave or list(rest))  # only tags can form a cycle
        for digest in waves[-1]:
            del rest[digest]
    return waves
