"""What ECR's scan found in an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ecr_widgets.errors import ImageNotFound
from ecr_widgets.model.image_parts import subject_of
from ecr_widgets.model.registry import Image
from ecr_widgets.ports import Ecr, ProgressSink
from ecr_widgets.steps.shared.image_lookup import list_all, require_image
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.step import Look


@dataclass(frozen=True, slots=True)
class FindingsOutcome:
    """What a scan found; status `NOT_SCANNED` if there was none."""

    digest: str
    status: str
    counts: Mapping[str, int]
    """By severity."""
    scanned_at: datetime | None
    changed: bool = False


@dataclass(frozen=True)
class FindFindings(Look[FindingsOutcome]):
    """What ECR's scan found in an image, by severity.

    Args:
        reference: Tag or digest; empty for the image that was pushed last.

    Raises:
        ImageNotFound: The repository has no such image, or none at all.
    """

    repository: str
    reference: str

    def look(self, outside: Outside, progress: ProgressSink) -> FindingsOutcome:
        ecr = outside.ecr
        if self.reference:
            image = require_image(ecr, self.repository, self.reference)
        else:
            image = _newest(ecr, self.repository)
        scan = ecr.find_findings(self.repository, image.digest)
        if scan is None:
            return FindingsOutcome(image.digest, "NOT_SCANNED", {}, None)
        return FindingsOutcome(image.digest, scan.status, scan.counts, scan.scanned_at)


def _newest(ecr: Ecr, repository: str) -> Image:
    images = [image for image in list_all(ecr, repository) if subject_of(image) is None]
    # The images of an index are pushed in the same second as the index, mostly without a tag.
    newest = max(images, key=lambda image: (image.pushed_at, bool(image.tags)), default=None)
    if newest is None:
        raise ImageNotFound(f"repository {repository!r} has no images", hint="push one first")
    return newest
