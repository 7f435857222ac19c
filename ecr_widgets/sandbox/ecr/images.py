"""Images and tags on top of moto's own objects, by ECR's rules; both the API and the registry use this."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import time
from typing import Any

from moto.core.exceptions import ServiceException
from moto.ecr.models import ECRBackend, Image, Repository, ecr_backends


class _Refusal(ServiceException):
    """Our own error class: for classes in its modules moto looks for a service model, and its core has none."""


def refuse(code: str, message: str) -> ServiceException:
    """Make an error as AWS sends it."""
    error = _Refusal(message)
    error.code = code
    return error


class Images:
    """The repositories in one account and region, and their images."""

    def __init__(self, account: str, region: str) -> None:
        self.account = account
        self.at_s: float | None = None
        """The time of a call that is being repeated, in seconds since the epoch; None for now."""
        self._region = region

    @property
    def backend(self) -> ECRBackend:
        """The store that moto itself keeps."""
        return ecr_backends[self.account][self._region]

    def find_repository(self, name: str) -> Repository | None:
        return self.backend.repositories.get(name)

    def require_repository(self, name: str) -> Repository:
        """The repository.

        Raises:
            ServiceException: RepositoryNotFoundException.
        """
        repository = self.find_repository(name)
        if repository is None:
            raise refuse(
                "RepositoryNotFoundException",
                f"The repository with name '{name}' does not exist in the registry with id '{self.account}'",
            )
        return repository

    def find_image(self, repository: Repository, reference: str) -> Image | None:
        """The image with a tag or digest, or None."""
        images: list[Image] = repository.images
        if reference.startswith("sha256:"):
            return next((image for image in images if image.get_image_digest() == reference), None)
        return next((image for image in images if reference in image.image_tags), None)

    def put_image(
        self, repository: Repository, manifest: bytes, tag: str | None, media_type: str | None
    ) -> Image:
        """Store a manifest, under a tag if one is given; the same image under the same tag is not an error here.

        Raises:
            ServiceException: ImageTagAlreadyExistsException if the tag is immutable.
        """
        digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        tagged = self.find_image(repository, tag) if tag else None
        if tagged is not None and tagged.get_image_digest() == digest:
            return tagged
        if tagged is not None and tag and is_immutable(repository, tag):
            raise refuse(
                "ImageTagAlreadyExistsException",
                f"The image tag '{tag}' already exists in the '{repository.name}' repository and cannot be overwritten"
                " because the tag is immutable.",
            )
        image = self.find_image(repository, digest)
        if image is None:
            kind = media_type or json.loads(manifest).get("mediaType")
            image = Image(self.account, None, manifest.decode(), repository.name, kind, digest)  # type: ignore[arg-type]
            image.image_pushed_at = int(self.now_s())
            repository.images.append(image)
        if tagged is not None and tag:
            # Moving a tag leaves its old image untagged; moto would delete that image.
            tagged.remove_tag(tag)
        if tag:
            image.update_tag(tag)
        return image

    def pulled(self, image: Image) -> None:
        """Record a pull."""
        image.last_recorded_pull_time = self.now_s()  # type: ignore[attr-defined]

    def now_s(self) -> float:
        """The time of the current call, in seconds since the epoch."""
        return time.time() if self.at_s is None else self.at_s


def is_immutable(repository: Repository, tag: str) -> bool:
    """Whether a tag must not move, exclusions and their wildcards included."""
    mutability = str(
        getattr(repository.image_tag_mutability, "value", repository.image_tag_mutability) or "MUTABLE"
    )
    filters: list[dict[str, Any]] = repository.image_tag_mutability_exclusion_filters or []  # type: ignore[assignment]
    excluded = any(fnmatch.fnmatchcase(tag, each["filter"].replace("[", "[[]")) for each in filters)
    return mutability.startswith("IMMUTABLE") != excluded


def size_bytes(image: Image) -> int | None:
    """Stored size of configuration and layers, in bytes; None for an index."""
    manifest = json.loads(image.image_manifest)
    if "layers" not in manifest:
        return None
    total: int = int(manifest.get("config", {}).get("size", 0)) + sum(
        layer["size"] for layer in manifest["layers"] or ()
    )
    return total
