"""What ECR tells about repositories and images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


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


@dataclass(frozen=True, slots=True)
class Image:
    """One manifest stored in a repository."""

    digest: str
    tags: tuple[str, ...]
    size_bytes: int | None
    pushed_at: datetime
    media_type: str | None = None
    last_pulled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """What a scan found in one image."""

    status: str
    """`COMPLETE`, `IN_PROGRESS`, `FAILED`, `ACTIVE` or another word of ECR's."""
    counts: Mapping[str, int]
    """Findings by severity: `CRITICAL`, `HIGH`, `MEDIUM`, `LOW`, `INFORMATIONAL`, `UNDEFINED`."""
    scanned_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the AWS calls are made as."""

    account: str
    arn: str
