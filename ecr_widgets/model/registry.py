"""What ECR reports about repositories and images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from ecr_widgets.model.tag_rule import TagRule


@dataclass(frozen=True, slots=True)
class Repository:
    """A named set of images in a registry."""

    name: str
    uri: str
    """Registry and name, what an image reference starts with."""
    arn: str
    registry_id: str
    created_at: datetime
    tags_immutable: bool
    scan_on_push: bool
    encryption: str
    """`AES256`, `KMS` or another word of ECR's."""
    kms_key: str | None = None
    """ARN of the key, if ECR reports one."""
    tag_exceptions: tuple[str, ...] = ()
    """Patterns of the tags for which the opposite of `tags_immutable` holds."""

    @property
    def tag_rule(self) -> TagRule:
        """Whether tags can move, with what is excepted."""
        return TagRule(self.tags_immutable, self.tag_exceptions)


@dataclass(frozen=True, slots=True)
class Findings:
    """What a scan found in one image."""

    status: str
    """`COMPLETE`, `IN_PROGRESS`, `FAILED`, `ACTIVE` or another word of ECR's."""
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
    """Where listings show a scan."""
    subject: str | None = None
    """Digest of the image that this one only says something about, such as by a signature."""
    artifact_type: str | None = None
    """What it holds: the media type of an image's configuration, or that of the artifact."""

    @property
    def is_index(self) -> bool:
        """Whether it names one image a platform instead of being one."""
        return "index" in (self.media_type or "") or "manifest.list" in (self.media_type or "")


@dataclass(frozen=True, slots=True)
class ImagePage:
    """A page of a repository's images, as many as ECR lists in one call."""

    images: tuple[Image, ...]
    is_last: bool

    def __iter__(self) -> Iterator[Image]:
        return iter(self.images)


@dataclass(frozen=True, slots=True)
class Child:
    """One of the manifests that an index names."""

    digest: str
    platform: str = ""
    """`linux/amd64`; empty for what is no image for a platform."""
    attests: str = ""
    """Digest of the image that this says something about, where it is BuildKit's attestation of one."""
    is_image: bool = True
    """False where it is for no machine at all, as attestations are."""


@dataclass(frozen=True, slots=True)
class ImageDetails:
    """What an image's manifest and configuration say."""

    platform: str = ""
    """`linux/amd64`; empty for an index and for what is no image."""
    children: tuple[Child, ...] = ()
    """What an index names."""

    @property
    def images(self) -> tuple[Child, ...]:
        """Those of an index's children that can be run."""
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
