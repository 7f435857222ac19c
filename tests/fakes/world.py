"""One small world that the fakes of all ports share, so that a push into one is seen by the others."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ecr_widgets.errors import AuthorizationError, RepositoryNotFound
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.encryption import Encryption
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.referrers import Manifest
from ecr_widgets.model.registry import Findings, ImageDetails, Repository

REGISTRY = "registry.test:5000"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
KMS_KEY = "arn:aws:kms:us-east-1:111222333444:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def kms_key_of(encryption: Encryption | None) -> str | None:
    """What ECR tells of the key: always by ARN, and every alias names the one key that there is."""
    if encryption is None or encryption.type == "AES256":
        return None
    key = encryption.kms_key or "alias/aws/ecr"
    if "alias/" in key:
        return KMS_KEY
    return key if key.startswith("arn:") else KMS_KEY.rpartition("/")[0] + f"/{key}"


def digest_of(text: str) -> str:
    """A digest that depends on the text only."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@dataclass
class World:
    """What stands outside."""

    now: datetime = NOW
    repositories: dict[str, Repository] = field(default_factory=dict)
    tags: dict[tuple[str, str], str] = field(default_factory=dict)
    """Digest by repository and tag."""
    manifests: set[tuple[str, str]] = field(default_factory=set)
    """Repository and digest of all that was ever pushed."""
    blobs: dict[tuple[str, str], bytes] = field(default_factory=dict)
    """Content by repository and digest, of what was put by hand and not pushed by an engine."""
    contents: dict[tuple[str, str], Manifest] = field(default_factory=dict)
    """Manifests by repository and digest, of those that were put by hand."""
    pushed_at: dict[str, datetime] = field(default_factory=dict)
    """By digest, for those that were not pushed just now."""
    pulled_at: dict[str, datetime] = field(default_factory=dict)
    """By digest, for those that were ever pulled."""
    subjects: dict[str, str] = field(default_factory=dict)
    """What a referrer is about, by digest."""
    archived: set[str] = field(default_factory=set)
    """Digests of what is listed and not handed out."""
    policies: dict[str, str] = field(default_factory=dict)
    """Lifecycle policy by repository."""
    repository_policies: dict[str, str] = field(default_factory=dict)
    """Who else may use it, by repository."""
    findings: dict[str, Findings] = field(default_factory=dict)
    """What a scan found, by digest."""
    details: dict[str, ImageDetails] = field(default_factory=dict)
    """By digest, for those that are not an image for linux/amd64."""
    local: dict[str, str] = field(default_factory=dict)
    """Image id by local name."""
    built_with: list[tuple[str, ...]] = field(default_factory=list)
    """The registries that each build got a login for."""
    pushed: dict[str, set[ImageReference]] = field(default_factory=dict)
    created_on_push: tuple[str, ...] = ()
    """How names of repositories begin that a push creates."""
    created_on_pull: tuple[str, ...] = ()
    """The same for a pull, by a pull-through cache rule."""
    valid_passwords: set[str] = field(default_factory=set)
    tokens_issued: int = 0
    changes: list[str] = field(default_factory=list)
    """Every change, in order: what tests compare."""


class FakeClock:
    """Implements `ports.Clock`; sleeping moves it on."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._started_at = world.now

    def now(self) -> datetime:
        return self._world.now

    def monotonic_s(self) -> float:
        return (self._world.now - self._started_at).total_seconds()

    def sleep(self, duration_s: float) -> None:
        self._world.now += timedelta(seconds=duration_s)


def check_password(world: World, token: AuthorizationToken) -> None:
    """Refuse a token that is over."""
    if token.password not in world.valid_passwords:
        raise AuthorizationError("Your authorization token has expired.")


def check_token(world: World, image: ImageReference, token: AuthorizationToken) -> None:
    """Refuse what a registry refuses."""
    check_password(world, token)
    if image.repository not in world.repositories:
        raise RepositoryNotFound(f"no repository {image.repository}")
