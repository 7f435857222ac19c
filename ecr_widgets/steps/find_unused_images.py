"""Find the images of a repository that could be deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from datetime import timedelta

from ecr_widgets.errors import InputError
from ecr_widgets.model.registry import Image
from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.shared.image_deletion import days_before, deleted_with, may_be_a_part, pulled_lately
from ecr_widgets.steps.shared.image_lookup import list_all
from ecr_widgets.steps.shared.image_uses import read_parts, used_images
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.step import Look


@dataclass(frozen=True, slots=True)
class UnusedOutcome:
    """What could be deleted from a repository, and why the rest stays."""

    repository: str
    deletable: tuple[Image, ...]
    """Oldest first; what belongs to them is deleted with them and not listed."""
    in_use: Mapping[str, tuple[str, ...]]
    """By digest: what runs or names it."""
    kept_newest: int
    kept_young: int
    kept_pulled: int
    """How many stay because they were pulled in the last days."""
    kept_orphans: int
    """How many are attached to images that are not here, such as signatures kept apart from them."""
    parts: int
    """How many belong to those that could be deleted."""
    pulled_within_days: float
    unknown: tuple[str, ...] = ()
    """Why no image counts as unused."""
    not_read: tuple[str, ...] = ()
    """Which stored deploys were not read, since there are too many: they protect no image."""
    changed: bool = False


@dataclass(frozen=True)
class FindUnusedImages(Look[UnusedOutcome]):
    """Images that nothing runs or names, that are old enough, not among the newest, and not pulled recently.

    If anything that may use an image cannot be read, no image counts as unused, and `unknown` says why.

    Args:
        keep_newest: How many of the images pushed last stay; what belongs to an image is not counted.

        older_than_days: Only images pushed longer ago than this.

        pulled_within_days: Images pulled within so many days stay; 0 for none.

    Raises:
        InputError: A number is below 0.
    """

    repository: str
    _: KW_ONLY
    keep_newest: int = 10
    older_than_days: float = 30.0
    pulled_within_days: float = 14.0

    def look(self, outside: Outside, progress: ProgressSink) -> UnusedOutcome:
        if min(self.keep_newest, self.older_than_days, self.pulled_within_days) < 0:
            raise InputError(
                "keep_newest, older_than_days and pulled_within_days must not be below 0",
                hint="give 0 or more",
            )
        uses = outside.uses(self.repository, progress)
        every = sorted(
            list_all(outside.ecr, self.repository),
            key=lambda each: (each.pushed_at, each.digest),
            reverse=True,
        )
        parts = read_parts(outside.ecr, self.repository, every)
        in_use = used_images(every, uses, parts)
        own = [
            image for image in every if image.digest not in parts.owners and image.digest not in parts.orphans
        ]
        rest = [image for image in own[self.keep_newest :] if image.digest not in in_use]
        now = outside.clock.now()
        before = now - timedelta(days=self.older_than_days)
        old = [image for image in rest if image.pushed_at <= before and not may_be_a_part(image, parts)]
        pulled = pulled_lately(every, parts, days_before(now, self.pulled_within_days))
        unused = () if uses.unknown else tuple(image for image in reversed(old) if image.digest not in pulled)
        return UnusedOutcome(
            self.repository,
            unused,
            {digest: by for digest, by in in_use.items() if digest not in parts.owners},
            min(self.keep_newest, len(own)),
            len(rest) - len(old),
            sum(image.digest in pulled for image in old),
            len(parts.orphans),
            len(deleted_with((image.digest for image in unused), every, parts)),
            self.pulled_within_days,
            uses.unknown,
            uses.not_read,
        )
