"""Which images are part of other images."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ecr_widgets.model.image_index import children_of
from ecr_widgets.model.image_parts import Parts, subject_of
from ecr_widgets.model.registry import Child, Image, ImageDetails
from tests.fakes import NOW, digest_of

INDEX = "application/vnd.oci.image.index.v1+json"


def image(name: str, *tags: str, index: bool = False, subject: str | None = None, kind: str = "") -> Image:
    """An image whose digest is made from the name."""
    about = None if subject is None else digest_of(subject)
    media_type = INDEX if index else "application/vnd.oci.image.manifest.v1+json"
    return Image(
        digest_of(name), tags, 1, NOW - timedelta(days=1), media_type, None, None, about, kind or None
    )


def of(name: str, ending: str) -> str:
    """A tag that refers to the image of that name."""
    return digest_of(name).replace(":", "-") + ending


@pytest.mark.parametrize(
    ("one", "about"),
    [
        (image("x", "1"), None),
        (image("x"), None),
        (image("x", of("a", ".sig")), "signature"),
        (image("x", of("a", ".att")), "attestation"),
        (image("x", of("a", ".sbom")), "SBOM"),
        (image("x", of("a", "")), "list of referrers"),
        (image("x", "signed-" + of("a", ".sig")), "signature"),
        (image("x", of("a", ".sig"), "release"), None),
        (image("x", of("x", "")), None),
        (image("x", of("a", "")[:-1]), None),
        (image("x", subject="a"), "referrer"),
        (image("x", subject="a", kind="application/vnd.cncf.notary.signature"), "signature"),
    ],
)
def test_what_only_says_something_about_an_image_is_told(one: Image, about: str | None) -> None:
    """An image with a subject, or only with a tag made of a digest, is about another image; one with its own tag is not."""
    assert subject_of(one) == (None if about is None else (digest_of("a"), about))


def test_an_index_names_images_and_attestations() -> None:
    """An index's entries are images or attestations; an entry without a platform counts as an image."""
    entries = [
        {"digest": "d1", "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}},
        {
            "digest": "d2",
            "platform": {"os": "unknown", "architecture": "unknown"},
            "annotations": {
                "vnd.docker.reference.type": "attestation-manifest",
                "vnd.docker.reference.digest": "d1",
            },
        },
        {"digest": "d3", "platform": {"os": "unknown", "architecture": "unknown"}},
        {"digest": "d4"},
    ]
    found = children_of({"manifests": entries})
    assert found == (
        Child("d1", "linux/arm64/v8"),
        Child("d2", "", "d1", is_image=False),
        Child("d3", "", is_image=False),
        Child("d4"),
    )
    assert [each.digest for each in ImageDetails(children=found).images] == ["d1", "d4"]
    assert children_of({"layers": []}) == ()


def test_parts_belong_to_what_names_them_and_to_what_they_are_about() -> None:
    """Parts belong to the index or subject that names them, over several levels; one about a missing image is an orphan."""
    amd, proof = digest_of("amd"), digest_of("proof")
    images = [
        image("index", "1", index=True),
        image("amd"),
        image("proof"),
        image("signature", of("index", ".sig")),
        image("signature of proof", subject="proof"),
        image("lost", of("elsewhere", ".sig")),
        image("other index", "2", index=True),
    ]
    children = (Child(amd, "linux/amd64"), Child(proof, "", amd, is_image=False), Child(digest_of("gone")))
    parts = Parts.of(images, {digest_of("index"): children})
    assert dict(parts.owners) == {
        amd: {digest_of("index")},
        proof: {digest_of("index")},
        digest_of("signature"): {digest_of("index")},
        digest_of("signature of proof"): {proof},
    }
    assert [parts.kinds[each] for each in (amd, proof, digest_of("signature"))] == [
        "linux/amd64",
        "attestation",
        "signature",
    ]
    assert parts.above(digest_of("signature of proof")) == {proof, digest_of("index")}
    assert parts.below([proof]) == {digest_of("signature of proof")}
    assert parts.below([digest_of("index")]) == parts.owners.keys()
    assert parts.orphans == {digest_of("lost")}
    assert parts.unread == {digest_of("other index")}


def test_tags_that_go_in_a_circle_end() -> None:
    """Signature tags that refer to each other do not cause an endless loop."""
    parts = Parts.of([image("a", of("b", ".sig")), image("b", of("a", ".sig"))], {})
    assert parts.above(digest_of("a")) == {digest_of("a"), digest_of("b")}
