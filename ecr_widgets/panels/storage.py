"""The storage that images take up, as pictures: sizes by tag and how they grow, and each repository's share.

ECR reports one compressed size per image, and for an index that of its largest image. It does not say which layers images
share, so all sums here count a layer once for each image that has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ecr_widgets.model.amounts import size
from ecr_widgets.model.drawing import Amount, Drawing, amounts
from ecr_widgets.model.image_parts import Parts, subject_of
from ecr_widgets.model.registry import Image

_MOST_LINES = 6
_COUNTED = "compressed, as ECR reports it; a layer that images share is counted in each of them"


class _Taken(NamedTuple):
    image: int
    about: int
    """By signatures, SBOMs and attestations."""

    @property
    def all(self) -> int:
        return self.image + self.about


def sizes_by_tag(images: Sequence[Image], parts: Parts) -> Drawing | None:
    """The newest tagged images, with what is attached, by size, share and growth; None if there is nothing to compare.

    Args:
        images: All of the repository, newest push first.

        parts: What belongs to what; the images of an index that was not read are not counted with it.
    """
    tagged = [each for each in images if each.tags and subject_of(each) is None]
    whole = bytes_of(images)
    if len(tagged) < 2 or not whole:
        return None
    taken = [_taken(each, images, parts) for each in tagged[: _MOST_LINES + 1]]
    lines = [
        Amount(", ".join(image.tags), each.image, each.about, _words(each, before, whole))
        for image, each, before in zip(tagged[:_MOST_LINES], taken, [*taken[1:], None], strict=False)
    ]
    older = len(tagged) - len(lines)
    notes = [
        *(("outlined: signatures, SBOMs, attestations",) if any(each.outlined for each in lines) else ()),
        f"{f'not shown: {older} older; ' if older else ''}all {len(images)} in this repository: {size(whole)}",
        _COUNTED,
    ]
    values = "; ".join(f"{each.label} {' '.join(filter(None, each.words))}" for each in lines)
    alt = f"Sizes of the newest tags, share of the repository and growth: {values}; {'; '.join(notes)}"
    return amounts("tag, newest first", ("size", "share", "growth"), lines, notes, alt=alt)


def bytes_of(images: Iterable[Image]) -> int:
    """The size of all images; an index adds nothing, since its images are in the list as well."""
    return sum(image.size_bytes or 0 for image in images if not image.is_index)


def _taken(image: Image, images: Sequence[Image], parts: Parts) -> _Taken:
    below = parts.below([image.digest])
    inside = [each for each in images if each.digest in below and each.digest != image.digest]
    about = bytes_of(each for each in inside if _is_about(each, parts))
    own = bytes_of(each for each in inside if not _is_about(each, parts))
    return _Taken((own if image.is_index else 0) or image.size_bytes or 0, about)


def _is_about(image: Image, parts: Parts) -> bool:
    return subject_of(image) is not None or parts.kinds.get(image.digest) == "attestation"


def _words(taken: _Taken, before: _Taken | None, whole: int) -> tuple[str, str, str]:
    if not taken.image:
        return "not known", "", ""
    more = taken.all - before.all if before is not None and before.image else None
    growth = "" if more is None else f"{'+' if more > 0 else '−'}{size(abs(more))}" if more else "same"
    return size(taken.all), _share(taken.all, whole), growth


def _share(part: int, whole: int) -> str:
    """In whole percent; anything above 0 is never shown as 0."""
    return "<1%" if 0 < part < whole / 200 else f"{part / whole:.0%}"


def shares(taken: Mapping[str, int], count: int) -> Drawing | None:
    """Repositories by what their images take up; None if there is nothing to compare.

    Args:
        taken: Bytes by repository, for those that were read.

        count: How many repositories there are.
    """
    whole = sum(taken.values())
    if len(taken) < 2 or not whole:
        return None
    largest = sorted(taken.items(), key=lambda each: (-each[1], each[0]))
    lines = [Amount(name, each, 0, (size(each), _share(each, whole))) for name, each in largest[:_MOST_LINES]]
    rest = largest[_MOST_LINES:]
    apart = f"{len(rest)} more {size(sum(each for _, each in rest))}; " if rest else ""
    looked = "" if len(taken) == count else f" (of {count}: the others were not looked into)"
    notes = [f"{apart}all {len(taken)}{looked}: {size(whole)}", _COUNTED]
    values = "; ".join(f"{each.label} {' '.join(each.words)}" for each in lines)
    alt = f"Share of storage by repository: {values}; {'; '.join(notes)}"
    return amounts("repository, largest first", ("size", "share"), lines, notes, alt=alt)
