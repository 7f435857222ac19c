"""Delete a repository."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import ClassVar, Self

from ecr_widgets.errors import ImageInUse, InputError, RegistryError
from ecr_widgets.model.image_parts import subject_of
from ecr_widgets.model.image_reference import check_repository_name
from ecr_widgets.model.registry import Image
from ecr_widgets.ports import Ecr, ProgressSink
from ecr_widgets.steps.shared.image_deletion import check_unused
from ecr_widgets.steps.shared.image_lookup import list_all
from ecr_widgets.steps.shared.image_uses import UsesOutcome, read_parts, used_images
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.step import Step, unrecorded


@dataclass(frozen=True, slots=True)
class DeletedRepositoryOutcome:
    """The deleted repository."""

    repository: str
    images: int
    """How many images were deleted with it."""
    changed: bool


@dataclass(frozen=True)
class DeleteRepository(Step[Sequence[Image] | None, DeletedRepositoryOutcome]):
    """Delete a repository, if its name is typed once more; never while an image in it is used. No error if it does not exist.

    Args:
        typed_name: The name once more: a deletion cannot be undone.

        with_images: Whether the images in it may be deleted with it.

    Raises:
        InputError: `typed_name` is another name.

        ImageInUse: An image in it runs, a stored deploy names one, or what uses them is not known.

        RegistryError: It holds images, and these must not be deleted.
    """

    asks: ClassVar = ("ECR: DeleteRepository",)

    repository: str
    _: KW_ONLY
    typed_name: str = unrecorded()
    with_images: bool = False

    def resolved(self, outside: Outside) -> Self:
        name = outside.session.repository(self.repository)
        # The same text given twice means the same name.
        typed = name if self.typed_name == self.repository else self.typed_name
        return replace(self, repository=name, typed_name=typed)

    def look(self, outside: Outside, progress: ProgressSink) -> Sequence[Image] | None:
        """The images in it; None if there is no such repository."""
        check_repository_name(self.repository)
        if self.typed_name != self.repository:
            raise InputError(
                f"to delete repository {self.repository!r}, its name must be typed again, not {self.typed_name!r}",
                hint="a deletion cannot be undone",
            )
        if outside.ecr.find_repository(self.repository) is None:
            return None
        images = _unused_images(outside.ecr, self.repository, outside.uses(self.repository, progress))
        if images and not self.with_images:
            raise RegistryError(
                f"repository {self.repository!r} holds {_count(images)} images",
                hint="delete them first, or allow it (with_images)",
            )
        return images

    def plan(self, outside: Outside, found: Sequence[Image] | None) -> DeletedRepositoryOutcome:
        return DeletedRepositoryOutcome(self.repository, _count(found or ()), changed=found is not None)

    def act(
        self, outside: Outside, found: Sequence[Image] | None, progress: ProgressSink
    ) -> DeletedRepositoryOutcome:
        if found is not None:
            outside.ecr.delete_repository(self.repository, with_images=self.with_images)
        return self.plan(outside, found)


def _count(images: Sequence[Image]) -> int:
    """How many images there are, without what is only attached to one."""
    return sum(subject_of(image) is None for image in images)


def _unused_images(ecr: Ecr, name: str, uses: UsesOutcome) -> list[Image]:
    """The repository's images, none of which is used.

    Raises:
        ImageInUse: The message names what uses one.
    """
    images = list_all(ecr, name)
    used = used_images(images, uses, read_parts(ecr, name, images))
    check_unused(name, (image.digest for image in images), used, uses)
    for use in uses.running:
        raise ImageInUse(
            f"repository {name!r} must not be deleted: {use.by} runs {use.image}",
            hint="end what runs it first",
        )
    return images
