"""The images of one repository."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from ecr_widgets.audit.image_lines import facts_of
from ecr_widgets.errors import EcrWidgetsError
from ecr_widgets.model.amounts import size
from ecr_widgets.model.drawing import Drawing
from ecr_widgets.model.image_parts import Parts, subject_of
from ecr_widgets.model.registry import Findings, Image, ImageDetails
from ecr_widgets.panels import image_actions
from ecr_widgets.panels.base import Panel
from ecr_widgets.panels.offers import Action
from ecr_widgets.panels.picture import MOST_ROWS, Picture, when
from ecr_widgets.panels.storage import sizes_by_tag
from ecr_widgets.steps.shared.image_uses import UsesOutcome, used_images

if TYPE_CHECKING:
    import pandas as pd

    from ecr_widgets.panels.notebook_kit import NotebookKit

_LOOKED_INTO = 25
"""Images at the top whose manifests may be read."""
_AT_ONCE = 8
_NO_IMAGE = Image("", (), None, datetime.min.replace(tzinfo=UTC))
_SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED")


class ImagesPanel(Panel):
    """Newest push first, an index with its images; what runs where and the platforms are filled in later.

    Filter by tag or digest; push, pull, add a tag, delete. In a run only one page of the repository is read.
    """

    built = ""
    """The local image that was last built here."""
    _images: tuple[Image, ...] = ()
    _is_whole = False
    _details: Mapping[str, ImageDetails] = {}
    _evidence: Mapping[str, Sequence[tuple[str, str]]] = {}
    """What runs did with an image, by digest, for images for which this was requested."""
    _uses: UsesOutcome | None = None
    _used: Mapping[str, tuple[str, ...]] = {}
    """What runs each image, by digest."""
    _parts = Parts.of((), {})
    _plots: tuple[Drawing, ...] = ()
    _registry = ""
    _unknown = ""
    _seen_last: Sequence[str] = ()

    def __init__(self, kit: NotebookKit, repository: str) -> None:
        super().__init__(kit)
        self.repository = repository

    def read(self) -> Iterator[None]:
        """Read page by page, then what runs, then which images the indexes at the top contain."""
        self.repository = self._look.repository(self.repository)
        images: list[Image] = []
        for page in self._look.images(self.repository):
            images += page
            # A complete list is only replaced by another complete one.
            if page.is_last or not self._is_whole:
                images.sort(key=lambda each: each.pushed_at, reverse=True)
                self._images = tuple(images)
            self._is_whole = self._is_whole or page.is_last
            self._relate()
            yield
        yield from self._read_uses()
        yield from self._read_indexes(self._at_the_top())

    def opened(self, key: str) -> None:
        """Read the registry's name for a reference to copy, without waiting for pages that are still being read."""
        if not self._registry:
            self._in_background(self._read_registry)

    def _read_registry(self) -> None:
        with suppress(EcrWidgetsError):
            self._registry = self._look.registry()
            self.tell()

    def _read_uses(self) -> Iterator[None]:
        try:
            self._registry = self._look.registry()
            self._uses = self._look.running(self.repository)
            self._unknown = "; ".join(f"what runs is not known: {why}" for why in self._uses.unknown)
        except EcrWidgetsError as error:
            self._unknown = f"what runs is not known: {error.message}"
        self._relate()
        yield

    def _relate(self) -> None:
        """Work out what belongs to what and what runs, from what is read so far."""
        known = {digest: details.children for digest, details in self._details.items()}
        self._parts = Parts.of(self._images, known)
        if self._is_whole:
            plot = sizes_by_tag(self._images, self._parts)
            self._plots = () if plot is None else (plot,)
        if self._uses is not None:
            self._used = used_images(self._images, self._uses, self._parts)

    def _read_indexes(self, shown: Sequence[str]) -> Iterator[None]:
        # ECR counts reading a manifest as a pull, and clean-ups go by the time of the last pull. So unless somebody asks,
        # only indexes are read, whose images would otherwise look like untagged leftovers.
        indexes = {image.digest for image in self._images if image.is_index}
        return self._read_details([digest for digest in shown if digest in indexes])

    def _read_details(self, shown: Sequence[str]) -> Iterator[None]:
        missing = [digest for digest in shown if digest not in self._details]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for digest, details in zip(missing, pool.map(self._look_into, missing), strict=True):
                self._details = {**self._details, digest: details}
        self._relate()
        yield

    def _at_the_top(self) -> list[str]:
        return [image.digest for image, under in islice(self._ordered(), _LOOKED_INTO) if not under]

    def look_into_all(self) -> None:
        """Read the platforms of the images that are shown; ECR counts that as a pull of each."""
        self.read_on(self._read_details(self._seen_last or self._at_the_top()))

    def read_evidence(self, image: Image) -> None:
        """Read what runs did with an image, from what is attached to it."""
        self.read_on(self._read_evidence(image.digest))

    def _read_evidence(self, digest: str) -> Iterator[None]:
        try:
            facts = tuple(facts_of(self._look.evidence(self.repository, digest)))
        except EcrWidgetsError as error:
            facts = (("run", f"not known: {error}"),)
        self._evidence = {**self._evidence, digest: facts}
        yield

    def _look_into(self, digest: str) -> ImageDetails:
        try:
            return self._look.details(self.repository, digest)
        except EcrWidgetsError:
            return ImageDetails()  # deleted meanwhile, or not an image: its cells stay empty

    def _ordered(self) -> Iterator[tuple[Image, str]]:
        """All images, each followed by what belongs to it, with what that is."""
        parts, below = self._parts, self._below()
        for image in self._images:
            if image.digest in parts.owners and not (image.tags and subject_of(image) is None):
                continue
            yield image, ""
            yield from below.get(image.digest, ())

    def _below(self) -> Mapping[str, Sequence[tuple[Image, str]]]:
        """What belongs to each image, in index order, with what it is; each part is listed below one image only."""
        images = {image.digest: image for image in self._images}
        parts: dict[str, list[tuple[Image, str]]] = {}
        placed: set[str] = set()

        def place(part: str, owner: str, kind: str) -> None:
            if part in images and owner in images and part not in placed:
                placed.add(part)
                parts.setdefault(owner, []).append((images[part], kind))

        for owner, known in self._details.items():
            alone = known.images[0].digest if len(known.images) == 1 else None
            for child in known.children:
                if child.digest == alone and not images.get(alone, _NO_IMAGE).tags:
                    placed.add(alone)  # the index represents its one image
                elif child.attests:
                    place(child.digest, owner, f"attestation of {child.attests}")
                else:
                    place(child.digest, owner, self._parts.kinds.get(child.digest, "image"))
        for image in self._images:
            about = subject_of(image)
            if about is not None and image.digest in self._parts.owners:
                place(image.digest, about[0], about[1])
        return parts

    def draw(self, now: datetime, *, most: int = MOST_ROWS) -> Picture:
        """One row per image."""
        ordered = list(self._ordered())
        shown = ordered[:most]
        platforms = any(known.platform or known.children for known in self._details.values())
        used = bool(self._used)
        scanned = any(image.findings for image, _ in ordered)
        columns = (
            "tags",
            *(("runs as",) if used else ()),
            *("digest", "size", "pushed", "last pulled"),
            *(("platform",) if platforms else ()),
            *(("findings",) if scanned else ()),
        )
        rows = tuple(
            (
                self._named(image, under),
                *((", ".join(self._used.get(image.digest, ())),) if used else ()),
                image.digest,
                size(self._size_bytes(image)),
                when(image.pushed_at, now),
                when(image.last_pulled_at, now) if image.last_pulled_at else "",
                *((under if "/" in under else self._platform(image),) if platforms else ()),
                *((_findings_cell(image.findings),) if scanned else ()),
            )
            for image, under in shown
        )
        return Picture(
            "images",
            f"Images of {self.repository}",
            now,
            columns,
            rows,
            left_out=len(ordered) - len(shown),
            note=", ".join(each for each in (self._counted(), self._unknown) if each),
            plots=self._plots,
            key=columns.index("digest"),
        )

    def _counted(self) -> str:
        count = len(self._images)
        if not self._is_whole and count:
            return f"the first {count} that ECR listed; there are more"
        attached = sum(subject_of(image) is not None for image in self._images)
        apart = f", {attached} of them signatures and the like" if attached else ""
        return f"{count} in all{apart}" if self._is_whole else ""

    def _named(self, image: Image, under: str) -> str:
        if under:
            # A signature's tag only repeats the digest that it is about.
            own = image.tags if subject_of(image) is None else ()
            return f"└ {', '.join((under, *own))}"
        about = subject_of(image)
        if about is not None:
            return f"{about[1]} of {about[0]}, which is not here"
        return ", ".join(image.tags) or "(untagged)"

    def _size_bytes(self, image: Image) -> int | None:
        """The size of the image; for an index with one image, the size of that."""
        images = self._details.get(image.digest, ImageDetails()).images
        if image.size_bytes is not None or len(images) != 1:
            return image.size_bytes
        return next((each.size_bytes for each in self._images if each.digest == images[0].digest), None)

    def _platform(self, image: Image) -> str:
        known = self._details.get(image.digest, ImageDetails())
        if not known.children:
            return known.platform
        images, others = len(known.images), len(known.children) - len(known.images)
        parts = [known.images[0].platform if images == 1 else f"{images} platforms"]
        parts += [f"{others} attestation{'s' if others > 1 else ''}"] if others else []
        return ", ".join(each for each in parts if each)

    def to_pandas(self) -> pd.DataFrame:
        """All images of the repository, newest push first; sizes in bytes, times with time zone. Reads what is not read yet."""
        import pandas as pd

        if not self._is_whole:
            images = [image for page in self._look.images(self.repository) for image in page]
            self._images = tuple(sorted(images, key=lambda each: each.pushed_at, reverse=True))
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

    def see(self, keys: Sequence[str]) -> None:
        """Read which images the shown indexes contain."""
        self._seen_last = tuple(keys)
        self.read_on(self._read_indexes(keys))

    def actions(self) -> Sequence[Action]:
        """Build, push, read platforms."""
        return image_actions.of_panel(self)

    def row_actions(self, key: str) -> Sequence[Action]:
        """What can be done with an image; nothing for what is attached to one, such as a signature."""
        image = self.find(key)
        return () if image is None or subject_of(image) is not None else image_actions.of_image(self, image)

    def row_facts(self, key: str) -> Sequence[tuple[str, str]]:
        """References to copy, once the registry's name is known; what runs did with it, once that was requested."""
        image = self.find(key)
        reference = self.reference(image) if image is not None else ""
        own = (("reference", reference), ("pull", f"docker pull {reference}")) if reference else ()
        return (*own, *(self._evidence.get(image.digest, ()) if image is not None else ()))

    def find(self, name: str) -> Image | None:
        """The image with this tag or digest among those that were read; None if there is none."""
        return next((each for each in self._images if name in (each.digest, *each.tags)), None)

    def reference(self, image: Image) -> str:
        """The full reference of the image by digest; empty until the registry's name is read."""
        return f"{self._registry}/{self.repository}@{image.digest}" if self._registry else ""


def _findings_cell(findings: Findings | None) -> str:
    if findings is None:
        return ""
    if findings.status not in ("COMPLETE", "ACTIVE"):
        return findings.status.lower().replace("_", " ")
    # Severities that are newer than this list come last.
    severities = (*_SEVERITIES, *sorted(set(findings.counts) - set(_SEVERITIES)))
    counts = [f"{findings.counts[each]} {each.lower()}" for each in severities if findings.counts.get(each)]
    return ", ".join(counts) or "none"
