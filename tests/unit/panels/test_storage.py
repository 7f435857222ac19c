"""Storage: sizes by tag with growth, and repositories by share."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from ecr_widgets.model.image_parts import Parts
from ecr_widgets.model.registry import Child, Image
from ecr_widgets.panels.storage import bytes_of, shares, sizes_by_tag
from tests.fakes import NOW, digest_of

INDEX = "application/vnd.oci.image.index.v1+json"


def image(
    name: str, size_bytes: int | None, *, age: int = 0, tag: str | None = None, subject: str | None = None
) -> Image:
    return Image(
        digest_of(name),
        (tag or name,) if tag != "" else (),
        size_bytes,
        NOW - timedelta(days=age),
        subject=subject,
    )


def told(images: list[Image], indexes: dict[str, tuple[Child, ...]] | None = None) -> str:
    drawing = sizes_by_tag(images, Parts.of(images, indexes or {}))
    assert drawing is not None
    return drawing.alt


def test_each_tag_has_its_size_its_share_and_its_growth() -> None:
    """Each tag has its size, share and growth since the tagged image pushed before it; the oldest has no growth."""
    words = told([image("3", 3_000_000), image("2", 4_000_000, age=1), image("1", 4_000_000, age=2)])
    assert (
        "growth: 3 3.0 MB 27% −1.0 MB; 2 4.0 MB 36% same; 1 4.0 MB 36%; all 3 in this repository: 11.0 MB;"
        in words
    )
    assert words.endswith(
        "compressed, as ECR reports it; a layer that images share is counted in each of them"
    )


def test_what_is_about_an_image_counts_with_it_and_is_seen_apart() -> None:
    """A signature's size counts with its image's and is drawn apart."""
    signed, other = image("2", 3_000_000), image("1", 1_000_000, age=1)
    signature = image("s", 1_000_000, tag="", subject=signed.digest)
    drawing = sizes_by_tag([signed, signature, other], Parts.of([signed, signature, other], {}))
    assert drawing is not None
    assert (
        ": 2 4.0 MB 80% +3.0 MB; 1 1.0 MB 20%; outlined: signatures, SBOMs, attestations; all 3"
        in drawing.alt
    )
    assert len([each for each in drawing.shapes if each.startswith("<path")]) == 2


def test_an_index_is_as_large_as_its_images_and_counts_once() -> None:
    """An index's size is the sum of its images'; if it was not read, ECR's own number or "not known"."""
    index = replace(image("index", 2_000_000), media_type=INDEX)
    images = [
        index,
        *(image(name, 2_000_000, tag="") for name in ("arm", "amd")),
        image("1", 1_000_000, age=1),
    ]
    children = tuple(Child(digest_of(name), f"linux/{name}") for name in ("arm", "amd"))
    assert ": index 4.0 MB 80% +3.0 MB; 1 1.0 MB 20%; all 4 in this repository: 5.0 MB" in told(
        images, {index.digest: children}
    )
    assert ": index 2.0 MB 40% +1.0 MB; 1 1.0 MB" in told(images)
    unread = [replace(index, size_bytes=None), *images[1:]]
    assert ": index not known; 1 1.0 MB 20%; " in told(unread)
    assert bytes_of(images) == bytes_of(unread) == 5_000_000


def test_older_tags_are_counted_and_not_drawn() -> None:
    """Only the six newest tags are drawn, the older ones are counted."""
    words = told([image(str(number), 1_000_000 + number, age=20 - number) for number in range(20, 0, -1)])
    assert "15 1.0 MB 5% +1 B; not shown: 14 older; all 20 in this repository: 20.0 MB" in words


def test_there_is_no_picture_where_nothing_can_be_compared() -> None:
    """There is no plot for fewer than two images or repositories, or without sizes."""
    assert sizes_by_tag([image("1", 5)], Parts.of([], {})) is None
    assert sizes_by_tag([image("1", None), image("2", None)], Parts.of([], {})) is None
    assert shares({"only": 5}, 1) is None
    assert shares({"a": 0, "b": 0}, 2) is None


def test_repositories_come_by_their_share() -> None:
    """Repositories are sorted by share; a small one has <1%, and those not read are counted."""
    drawing = shares({"b": 900_000_000, "a": 99_000_000, **{f"c{n}": 100_000 for n in range(10)}}, 25)
    assert drawing is not None
    assert "repository: b 900.0 MB 90%; a 99.0 MB 10%; c0 0.1 MB <1%" in drawing.alt
    assert "6 more 0.6 MB; all 12 (of 25: the others were not looked into): 1000.0 MB" in drawing.alt
