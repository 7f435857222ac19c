"""What refers to an image without being part of it: signatures, attestations, bills of materials.

Source: OCI image specification, "Guidelines for Artifact Usage" (`subject`); OCI distribution specification, "Listing
Referrers", "Referrers Tag Schema".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

IMAGE_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
IMAGE_INDEX = "application/vnd.oci.image.index.v1+json"
EMPTY_CONFIG = "application/vnd.oci.empty.v1+json"
"""Configuration type of a manifest that has nothing to configure; its content is `{}`."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest from a registry, its bytes checked against the digest."""

    digest: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Referrer:
    """One entry in a manifest's list of referrers. All but the digest is only a claim."""

    digest: str
    media_type: str
    size_bytes: int
    artifact_type: str = ""
    """Empty if the list does not say."""
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Referrers:
    """What a registry lists as one manifest's referrers."""

    entries: tuple[Referrer, ...] = ()
    left_out: str = ""
    """Why some are missing, in words; empty if none are."""
    by_tag: bool = False
    """Whether the registry keeps no list itself, so they were read from the fallback tag."""


def fallback_tag(digest: str) -> str:
    """The tag that lists a digest's referrers if the registry keeps no list itself."""
    return digest.replace(":", "-", 1)
