"""ECR in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from ecr_widgets.errors import ImageNotFound, RegistryError, RepositoryNotFound, TagImmutable
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.encryption import Encryption
from ecr_widgets.model.registry import (
    Child,
    Expiry,
    Findings,
    Identity,
    Image,
    ImageDetails,
    ImagePage,
    Repository,
)
from ecr_widgets.model.registry_host import RegistryId
from ecr_widgets.model.tag_rule import TagRule
from tests.fakes.world import REGISTRY, World, kms_key_of


class FakeEcr:
    """Implements `ports.Ecr`."""

    page = 1000
    """Images told at once."""

    def __init__(self, world: World) -> None:
        self._world = world

    def identity(self) -> Identity:
        return Identity("111222333444", "arn:aws:iam::111222333444:user/operator")

    def registry_id(self) -> RegistryId:
        return RegistryId("111222333444", "us-east-1")

    def authorization_token(self) -> AuthorizationToken:
        self._world.tokens_issued += 1
        password = f"password-{self._world.tokens_issued}"
        self._world.valid_passwords.add(password)
        now = self._world.now
        return AuthorizationToken(REGISTRY, "AWS", password, now, now + timedelta(hours=12))

    def find_repository(self, name: str) -> Repository | None:
        return self._world.repositories.get(name)

    def create_repository(
        self,
        name: str,
        *,
        tags_immutable: bool,
        scan_on_push: bool,
        encryption: Encryption | None = None,
        tag_exceptions: tuple[str, ...] = (),
    ) -> tuple[Repository, bool]:
        if name in self._world.repositories:
            return self._world.repositories[name], False
        made = Repository(
            name,
            f"{REGISTRY}/{name}",
            f"arn:aws:ecr:us-east-1:111222333444:repository/{name}",
            "111222333444",
            self._world.now,
            tags_immutable,
            scan_on_push,
            "AES256" if encryption is None else encryption.type,
            kms_key_of(encryption),
            tag_exceptions,
        )
        self._world.repositories[name] = made
        self._world.changes.append(f"create repository {name}")
        return made, True

    def creates_on_push(self, name: str) -> bool:
        return name.startswith(self._world.created_on_push)

    def creates_on_pull(self, name: str) -> bool:
        return name.startswith(self._world.created_on_pull)

    def list_repositories(self) -> tuple[Repository, ...]:
        return tuple(self._world.repositories.values())

    def list_images(self, repository: str) -> Iterator[ImagePage]:
        self._require(repository)
        tags: dict[str, list[str]] = {}
        for (name, tag), digest in self._world.tags.items():
            if name == repository:
                tags.setdefault(digest, []).append(tag)
        digests = sorted(digest for name, digest in self._world.manifests if name == repository)
        images = [self._image(each, tags.get(each, ())) for each in digests]
        for start in range(0, max(len(images), 1), self.page):
            yield ImagePage(
                tuple(images[start : start + self.page]), is_last=start + self.page >= len(images)
            )

    def read_indexes(self, repository: str, digests: Sequence[str]) -> dict[str, tuple[Child, ...]]:
        self._require(repository)
        self._world.pulled_at |= dict.fromkeys(digests, self._world.now)
        return {
            digest: self._world.details.get(digest, ImageDetails()).children
            for digest in digests
            if digest not in self._world.archived
        }

    def change_repository(
        self, name: str, *, tag_rule: TagRule | None = None, scan_on_push: bool | None = None
    ) -> None:
        standing = self._require(name)
        rule = standing.tag_rule if tag_rule is None else tag_rule
        self._world.repositories[name] = replace(
            standing,
            tags_immutable=rule.immutable,
            tag_exceptions=rule.exceptions,
            scan_on_push=standing.scan_on_push if scan_on_push is None else scan_on_push,
        )
        self._world.changes.append(f"change repository {name}")

    def find_lifecycle_policy(self, name: str) -> str | None:
        self._require(name)
        return self._world.policies.get(name)

    def set_lifecycle_policy(self, name: str, policy: str) -> None:
        self._require(name)
        self._world.policies[name] = policy
        self._world.changes.append(f"set lifecycle policy of {name}")

    def find_repository_policy(self, name: str) -> str | None:
        self._require(name)
        return self._world.repository_policies.get(name)

    def preview_lifecycle_policy(self, name: str, policy: str) -> tuple[Expiry, ...]:
        """Knows rules that count all images, and no others."""
        rule = json.loads(policy)["rules"][0]
        assert rule["selection"]["countType"] == "imageCountMoreThan"
        assert rule["selection"]["tagStatus"] == "any"
        images = sorted(
            (image for page in self.list_images(name) for image in page),
            key=lambda image: image.pushed_at,
            reverse=True,
        )
        return tuple(
            Expiry(image.digest, image.tags, image.pushed_at, rule["rulePriority"])
            for image in images[rule["selection"]["countNumber"] :]
        )

    def delete_repository(self, name: str, *, with_images: bool) -> None:
        self._require(name)
        if not with_images and any(repository == name for repository, _ in self._world.manifests):
            raise RegistryError(f"{name} holds images")
        del self._world.repositories[name]
        self._world.manifests = {each for each in self._world.manifests if each[0] != name}
        self._world.tags = {key: digest for key, digest in self._world.tags.items() if key[0] != name}
        self._world.changes.append(f"delete repository {name}")

    def tag_image(self, repository: str, digest: str, tag: str) -> None:
        if (repository, digest) not in self._world.manifests:
            raise ImageNotFound(f"no image {digest}")
        standing = self._world.tags.get((repository, tag), digest)
        if standing != digest and self._require(repository).tags_immutable:
            raise TagImmutable("tag is immutable", standing=standing, wanted=digest)
        self._world.tags[repository, tag] = digest
        self._world.changes.append(f"tag {repository}:{tag}")

    def delete_images(self, repository: str, digests: Sequence[str]) -> dict[str, str]:
        self._require(repository)
        kept: dict[str, str] = {}
        gone = set()
        for digest in digests:
            # One at a time, as ECR does.
            others = [d for r, d in self._world.manifests - gone if r == repository and d != digest]
            named = {c.digest for d in others for c in self._world.details.get(d, ImageDetails()).children}
            if digest in named:
                kept[digest] = "ImageReferencedByManifestList"
            else:
                gone.add((repository, digest))
        self._world.manifests -= gone
        self._world.tags = {
            key: digest for key, digest in self._world.tags.items() if (key[0], digest) not in gone
        }
        self._world.changes.append(f"delete {len(gone)} images of {repository}")
        return kept

    def find_findings(self, repository: str, digest: str) -> Findings | None:
        self._require(repository)
        return self._world.findings.get(digest)

    def _require(self, name: str) -> Repository:
        if name not in self._world.repositories:
            raise RepositoryNotFound(name)
        return self._world.repositories[name]

    def find_image(self, repository: str, reference: str) -> Image | None:
        self._require(repository)
        digest = self._world.tags.get((repository, reference), reference)
        if (repository, digest) not in self._world.manifests:
            return None
        return self._image(
            digest, [t for (r, t), d in self._world.tags.items() if (r, d) == (repository, digest)]
        )

    def _image(self, digest: str, tags: Sequence[str]) -> Image:
        index = self._world.details.get(digest, ImageDetails()).children
        kind = f"application/vnd.oci.image.{'index' if index else 'manifest'}.v1+json"
        return Image(
            digest,
            tuple(tags),
            1000,
            self._world.pushed_at.get(digest, self._world.now),
            kind,
            self._world.pulled_at.get(digest),
            subject=self._world.subjects.get(digest),
        )
