"""The images of one repository."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from ecr_widgets.errors import EcrWidgetsError
from ecr_widgets.model.registry import Findings, Image, ImageDetails
from ecr_widgets.panels.base import Panel
from ecr_widgets.panels.picture import Picture, matches, size, when
from ecr_widgets.steps.image_uses import ImageUse

if TYPE_CHECKING:
    import pandas as pd

    from ecr_widgets.kit import Kit

_MOST_ROWS = 60
"""A row holds its digest twice and its times twice; more never fit into a picture."""
_LOOKED_INTO = 25
"""Images at the top whose manifests may be read."""
_AT_ONCE = 8
_OFFERED = 200
_LONGEST_TAG = 128
_SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED")


class ImagesPanel(Panel):
    """Newest push first, an index with its images; what runs where and for which platform is filled in by and by.

    Filter by tag or digest; push, pull, tag once more, delete. In a run one page of the repository is read.
    """

    words = ""
    _images: tuple[Image, ...] = ()
    _is_whole = False
    _details: Mapping[str, ImageDetails] = {}
    _uses: tuple[ImageUse, ...] = ()
    _registry = ""
    _unknown = ""

    def __init__(self, kit: Kit, repository: str) -> None:
        super().__init__(kit)
        self.repository = repository

    def read(self) -> Iterator[None]:
        """A page after another, then what runs, then which images the indexes at the top name."""
        self.repository = self._look.repository(self.repository)
        found: list[Image] = []
        for page in self._look.images(self.repository):
            found += page
            # A list that was whole once is replaced by a whole one only.
            if page.is_last or not self._is_whole:
                found.sort(key=lambda each: each.pushed_at, reverse=True)
                self._images = tuple(found)
            self._is_whole = self._is_whole or page.is_last
            yield
        yield from self._read_uses()
        yield from self._read_details(only_indexes=True)

    def learn_registry(self) -> None:
        """Read the registry's name for a reference to copy, without waiting for the pages that may still be read."""
        self._in_background(self._read_registry)

    def _read_registry(self) -> None:
        with suppress(EcrWidgetsError):
            self._registry = self._look.registry()
            self.update_controls()

    def _read_uses(self) -> Iterator[None]:
        try:
            self._registry = self._look.registry()
            self._uses, self._unknown = self._look.running(self.repository), ""
        except EcrWidgetsError as error:
            self._unknown = f"what runs is not known: {error.message}"
        yield

    def _read_details(self, *, only_indexes: bool) -> Iterator[None]:
        # ECR takes the reading of a manifest for a pull, and clean-ups go by the time of the last one. So unasked only
        # indexes are read, whose images would be taken for untagged rubbish.
        shown = [image for image, under in self._from_first_row() if not under]
        wanted = [image.digest for image in shown if image.is_index or not only_indexes]
        missing = [digest for digest in wanted if digest not in self._details]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for digest, details in zip(missing, pool.map(self._look_into, missing), strict=True):
                self._details = {**self._details, digest: details}
        yield

    def _from_first_row(self) -> Iterator[tuple[Image, str]]:
        return islice(self._ordered(), self.first_row, self.first_row + _LOOKED_INTO)

    def look_into_all(self) -> None:
        """Read the platforms of the images at the top; to ECR that is a pull of each."""
        self.read_on(self._read_details(only_indexes=False))

    def _look_into(self, digest: str) -> ImageDetails:
        try:
            return self._look.details(self.repository, digest)
        except EcrWidgetsError:
            return ImageDetails()  # gone meanwhile, or no image: the table says nothing of it

    def _ordered(self) -> Iterator[tuple[Image, str]]:
        """Images that match; those of an index follow it, each with its platform."""
        images, details = self._images, self._details
        children = {child for known in details.values() for child, _ in known.children}
        by_digest = {image.digest: image for image in images if image.digest in children}
        for image in images:
            if image.digest in children and not image.tags:
                continue
            known = details.get(image.digest, ImageDetails())
            if matches(self.words, (*image.tags, image.digest, *(child for child, _ in known.children))):
                yield image, ""
                for child, platform in known.children:
                    if child in by_digest:
                        yield by_digest[child], platform or "image"

    def draw(self, now: datetime) -> Picture:
        """One row an image."""
        found = list(self._ordered())
        first = self.first_row if self.first_row < len(found) else 0
        shown = found[first : first + _MOST_ROWS]
        platforms = any(known.platform or known.children for known in self._details.values())
        scanned = any(image.findings for image, _ in found)
        columns = (
            "tags",
            *(("runs as",) if self._uses else ()),
            *("digest", "size", "pushed", "last pulled"),
            *(("platform",) if platforms else ()),
            *(("findings",) if scanned else ()),
        )
        rows = tuple(
            (
                f"└ {under}" if under else ", ".join(image.tags) or "(untagged)",
                *((self._runs(image),) if self._uses else ()),
                image.digest,
                size(image.size_bytes),
                when(image.pushed_at, now),
                when(image.last_pulled_at, now) if image.last_pulled_at else "",
                *((under or self._platform(image),) if platforms else ()),
                *((_told(image.findings),) if scanned else ()),
            )
            for image, under in shown
        )
        return Picture(
            "images",
            f"Images of {self.repository}",
            now,
            columns,
            rows,
            left_out=len(found) - len(shown),
            skipped=first,
            note=", ".join(each for each in (self._counted(len(found)), self._unknown) if each),
        )

    def _counted(self, found: int) -> str:
        count = len(self._images)
        if not self._is_whole and count:
            return f"the first {count} that ECR listed; there are more"
        if self.words:
            return f"{found} of {count} for {self.words!r}"
        return f"{count} in all" if self._is_whole else ""

    def _platform(self, image: Image) -> str:
        known = self._details.get(image.digest, ImageDetails())
        if known.children:
            return f"{len(known.children)} platform{'s' if len(known.children) > 1 else ''}"
        return known.platform

    def _runs(self, image: Image) -> str:
        names = {
            use.by
            for use in self._uses
            if use.names(image, repository=self.repository, registry=self._registry)
        }
        return ", ".join(sorted(names))

    def to_pandas(self) -> pd.DataFrame:
        """All images of the repository, newest push first; sizes in bytes, times aware. Reads what is not read yet."""
        import pandas as pd

        if not self._is_whole:
            found = [image for page in self._look.images(self.repository) for image in page]
            self._images = tuple(sorted(found, key=lambda each: each.pushed_at, reverse=True))
            self._is_whole = True
        return pd.DataFrame(
            {
                "tags": [list(each.tags) for each in self._images],
                "digest": [each.digest for each in self._images],
                "size_bytes": [each.size_bytes for each in self._images],
                "pushed_at": [each.pushed_at for each in self._images],
                "last_pulled_at": [each.last_pulled_at for each in self._images],
                "media_type": [each.media_type for each in self._images],
                "findings": [dict(each.findings.counts) if each.findings else None for each in self._images],
                "scan_status": [each.findings.status if each.findings else None for each in self._images],
            }
        )

    def filter(self, words: str) -> None:
        """Show those that have all the words in tags or digest; what is known is not asked for again."""
        self.words = words
        self.turn_to(0)

    def read_shown(self) -> Iterator[None]:
        """Which images the indexes name that are shown."""
        return self._read_details(only_indexes=True)

    def controls(self) -> Any:
        """Filter; push a local image; work on one that stands."""
        from ecr_widgets.panels.image_controls import ImageControls

        self._own = ImageControls(self)
        return self._own.widget

    def update_controls(self) -> None:
        """Offer the images at the top, by tag or else by digest."""
        names = (name for image in self._images for name in (image.tags or (image.digest,)))
        self._own.offer(tuple(islice((name for name in names if len(name) <= _LONGEST_TAG), _OFFERED)))

    def find(self, name: str) -> Image | None:
        """The image that a tag or digest names, of those that were read."""
        return next((each for each in self._images if name in (each.digest, *each.tags)), None)

    def reference(self, image: Image) -> str:
        """The image by digest, in full; empty while the registry's name is not read."""
        return f"{self._registry}/{self.repository}@{image.digest}" if self._registry else ""


def _told(findings: Findings | None) -> str:
    if findings is None:
        return ""
    if findings.status not in ("COMPLETE", "ACTIVE"):
        return findings.status.lower().replace("_", " ")
    # Words of ECR's that are newer than this list come last.
    severities = (*_SEVERITIES, *sorted(set(findings.counts) - set(_SEVERITIES)))
    counts = [f"{findings.counts[each]} {each.lower()}" for each in severities if findings.counts.get(each)]
    return ", ".join(counts) or "none"
