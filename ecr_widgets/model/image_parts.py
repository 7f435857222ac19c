"""What belongs to another image in the same repository: the images of an index, attestations, signatures, other referrers.

Source: OCI image specification, "Image Index", "Guidelines for Artifact Usage" (`subject`); OCI distribution specification,
"Referrers Tag Schema"; cosign's tags for signatures and attestations; BuildKit, "Image attestation storage".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ecr_widgets.model.registry import Child, Image

_OF_DIGEST = re.compile(r"(?:[\w.-]*?)sha256-([0-9a-f]{64})(?:\.([\w.-]+))?", re.ASCII)
"""`sha256-HEX.sig`, perhaps with a custom prefix; without an ending it is the list of the digest's referrers."""
_ENDINGS = {"sig": "signature", "att": "attestation", "sbom": "SBOM", None: "list of referrers"}
_TYPES = {
    "application/vnd.cncf.notary.signature": "signature",
    "application/vnd.dev.cosign.artifact.sig.v1+json": "signature",
    "application/vnd.dev.sigstore.bundle.v0.3+json": "sigstore bundle",
}
EVIDENCE = frozenset(_TYPES)
"""Artifact types that are copied along with an image."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What belongs to what in one repository, by digest."""

    owners: Mapping[str, frozenset[str]]
    """What each part belongs to directly, if the repository has it."""
    kinds: Mapping[str, str]
    """What each part is: `linux/amd64`, `attestation`, `signature`."""
    orphans: frozenset[str]
    """Parts about an image that the repository does not have."""
    unread: frozenset[str]
    """Indexes that could not be read, so what they name is unknown."""

    @classmethod
    def of(cls, images: Iterable[Image], indexes: Mapping[str, Iterable[Child]]) -> Parts:
        """Find the parts.

        Args:
            images: All images in the repository.

            indexes: What each index there names; an index left out counts as unread.
        """
        by_digest = {image.digest: image for image in images}
        owners: dict[str, set[str]] = {}
        kinds: dict[str, str] = {}

        def belongs(part: str, owner: str, kind: str) -> None:
            if part != owner:
                owners.setdefault(part, set()).add(owner)
                kinds.setdefault(part, kind)

        for index, children in indexes.items():
            for child in children:
                kind = (child.platform or "image") if child.is_image else "attestation"
                # An attestation belongs to the index too: only the index says which image it is about.
                belongs(child.digest, index, kind)
        for image in by_digest.values():
            for about, kind in _about(image):
                belongs(image.digest, about, kind)
        here = {
            part: frozenset(each & by_digest.keys()) for part, each in owners.items() if part in by_digest
        }
        return cls(
            {part: each for part, each in here.items() if each},
            {part: kind for part, kind in kinds.items() if part in by_digest},
            frozenset(part for part, each in here.items() if not each and subject_of(by_digest[part])),
            frozenset(
                image.digest for image in by_digest.values() if image.is_index and image.digest not in indexes
            ),
        )

    def above(self, digest: str) -> frozenset[str]:
        """All that it belongs to, directly or indirectly."""
        return _closure(digest, self.owners)

    def below(self, digests: Iterable[str]) -> frozenset[str]:
        """All parts that belong to one of these."""
        wanted = frozenset(digests)
        return frozenset(part for part in self.owners if self.above(part) & wanted)


def subject_of(image: Image) -> tuple[str, str] | None:
    """Digest of the image that this one only describes, and what it is to it; None for an image in its own right."""
    subjects = _about(image)
    # With a tag of its own it is an image, whatever else it is.
    return (
        subjects[0] if subjects and (image.subject is not None or len(subjects) == len(image.tags)) else None
    )


def _about(image: Image) -> list[tuple[str, str]]:
    """The images that it describes, and what it is to each."""
    if image.subject is not None:
        return [(image.subject, _TYPES.get(image.artifact_type or "", "referrer"))]
    matches = [match for tag in image.tags if (match := _OF_DIGEST.fullmatch(tag))]
    # Some tools tag an image with its own digest.
    return [
        (f"sha256:{match[1]}", _ENDINGS.get(match[2], match[2] or ""))
        for match in matches
        if f"sha256:{match[1]}" != image.digest
    ]


def _closure(digest: str, owners: Mapping[str, frozenset[str]]) -> frozenset[str]:
    reached: set[str] = set()
    waiting = [digest]
    while waiting:
        for owner in owners.get(waiting.pop(), ()):
            if owner not in reached:
                reached.add(owner)
                waiting.append(owner)
    return frozenset(reached)
