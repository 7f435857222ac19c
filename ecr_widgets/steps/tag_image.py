"""Set another tag on an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ecr_widgets.errors import TagImmutable
from ecr_widgets.model.image_reference import ImageReference, check_tag
from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.shared.image_lookup import require_image
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.step import Foreseen


@dataclass(frozen=True, slots=True)
class TagOutcome:
    """The image under its new tag."""

    image: ImageReference
    digest: str
    tag: str
    previous_digest: str | None
    changed: bool


@dataclass(frozen=True)
class TagImage(Foreseen[TagOutcome]):
    """Set another tag on an image of the repository, without pulling it.

    Args:
        reference: Current tag or digest of the image.

    Raises:
        ImageNotFound: The repository has no such image.

        TagImmutable: The tag names another image and must not move.
    """

    asks: ClassVar = ("ECR: PutImage",)

    repository: str
    reference: str
    tag: str

    def _named(self, outside: Outside) -> ImageReference:
        return ImageReference(outside.session.token().registry, self.repository, tag=check_tag(self.tag))

    def holds(self, outside: Outside) -> str:
        return outside.targets.image(self._named(outside))

    def look(self, outside: Outside, progress: ProgressSink) -> TagOutcome:
        image = require_image(outside.ecr, self.repository, self.reference)
        tagged = outside.ecr.find_image(self.repository, check_tag(self.tag))
        previous = tagged.digest if tagged is not None else None
        named = self._named(outside).with_digest(image.digest)
        return TagOutcome(named, image.digest, self.tag, previous, changed=previous != image.digest)

    def act(self, outside: Outside, found: TagOutcome, progress: ProgressSink) -> TagOutcome:
        if not found.changed:
            return found
        try:
            outside.ecr.tag_image(self.repository, found.digest, self.tag)
        except TagImmutable as error:
            raise TagImmutable(
                f"tag {self.tag!r} of {self.repository} names {found.previous_digest} and cannot be moved to"
                f" {found.digest}: the repository's tags are immutable",
                standing=found.previous_digest or "",
                wanted=found.digest,
                hint="set a new tag",
            ) from error
        return found

    def reached(self, outcome: TagOutcome) -> str:
        return outcome.digest
