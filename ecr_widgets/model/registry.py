"""What ECR reports about repositories and images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from ecr_widgets.model.tag_rule import TagRule


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository in a registry."""

    name: str
    uri: str
    """Registry and name, as at the start of an image reference."""
    arn: str
    registry_id: str
    created_at: datetime
    tags_immutable: bool
    scan_on_push: bool
    encryption: str
    """`AES256`, `KMS` or another of ECR's words."""
    kms_key: str | None = None
    """ARN of the key, if ECR reports one."""
    tag_exceptions: tuple[str, ...] = ()
    """Patterns of the tags that are the opposite of `tags_immutable`."""

    @property
    def tag_rule(self) -> TagRule:
        """Whether tags can move, with the exceptions."""
        return TagRule(self.tags_immutable, self.tag_exceptions)


@dataclass(frozen=True, slots=True)
class Findings:
    """What a scan found in one image."""

    status: str
    """`COMPLETE`, `IN_PROGRESS`, `FAILED`, `ACTIVE` or another of ECR's words."""
    counts: Mapping[str, int]
    """Findings by severity: `CRITICAL`, `HIGH`, `MEDIUM`, `LOW`, `INFORMATIONAL`, `UNDEFINED`."""
    scanned_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """One manifest stored in a repository."""

    digest: str
    tags: tuple[str, ...]
    size_bytes: int | None
    pushed_at: datetime
    media_type: str | None = None
    last_pulled_at: datetime | None = None
    findings: Findings | None = None
    """Set if the listing shows a scan."""
    subject: str | None = None
    """Digest of the image that this one only describes, as a signature does."""
    artifact_type: str | None = None
    """What it contains: the media type of an image's configuration, or the artifact's type."""

    @property
    def is_index(self) -> bool:
        """Whether it lists an image per platform instead of being one."""
        return "index" in (self.media_type or "") or "manifest.list" in (self.media_type or "")


@dataclass(frozen=True, slots=True)
class ImagePage:
    """One page of a repository's images, as ECR lists them in one call."""

    images: tuple[Image, ...]
    is_last: bool

    def __iter__(self) -> Iterator[Image]:
        return iter(self.images)


@dataclass(frozen=True, slots=True)
class Child:
    """One of the manifests that an index names."""

    digest: str
    platform: str = ""
    """Such as `linux/amd64`; empty if it is not an image for a platform."""
    attests: str = ""
    """Digest of the image that this attests, if it is a BuildKit attestation."""
    is_image: bool = True
    """False if it cannot run on any machine, such as an attestation."""


@dataclass(frozen=True, slots=True)
class ImageDetails:
    """What an image's manifest and configuration say."""

    platform: str = ""
    """Such as `linux/amd64`; empty for an index and for what is not an image."""
    children: tuple[Child, ...] = ()
    """The manifests that an index names."""

    @property
    def images(self) -> tuple[Child, ...]:
        """The index's children that can be run."""
        return tuple(each for each in self.children if each.is_image)


@dataclass(frozen=True, slots=True)
class Expiry:
    """An image that a lifecycle policy would expire."""

    digest: str
    tags: tuple[str, ...]
    pushed_at: datetime
    rule: int
    """Priority of the rule that applies."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the AWS calls are made as."""

    account: str
    arn: str
