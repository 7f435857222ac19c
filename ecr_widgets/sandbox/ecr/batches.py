"""Calls for several images at a time: moto deletes images that an index names, and does not record pulls.

Source: Amazon ECR API, BatchDeleteImage, BatchGetImage, ImageFailure.
"""

from __future__ import annotations

import json
import re
from typing import Any

from moto.core.responses import ActionResult
from moto.ecr.models import Repository
from moto.ecr.responses import ECRResponse

from ecr_widgets.sandbox.ecr.images import Images, refuse

_MOST = 100
_NOT_FOUND = "Requested image not found"
_DIGEST = re.compile(r"[a-zA-Z0-9_+.-]+:[a-fA-F0-9]{64}", re.ASCII)


def add_batches(store: Images) -> None:
    """Replace moto's calls with the corrected ones."""

    def batch_get_image(self: ECRResponse) -> ActionResult:
        repository = store.require_repository(self._get_param("repositoryName"))
        images, failures = [], []
        for image_id in self._get_param("imageIds") or ():
            image = store.find_image(
                repository, image_id.get("imageDigest") or image_id.get("imageTag") or ""
            )
            if image is None:
                failures.append(_failure(image_id, "ImageNotFound", _NOT_FOUND))
            else:
                # An engine's pull begins this way, so it counts as one.
                store.pulled(image)
                images.append(image)
        return ActionResult({"images": images, "failures": failures})

    def batch_delete_image(self: ECRResponse) -> ActionResult:
        repository = store.require_repository(self._get_param("repositoryName"))
        asked: list[dict[str, str]] = self._get_param("imageIds") or []
        if not 1 <= len(asked) <= _MOST:
            raise refuse(
                "InvalidParameterException",
                f"Invalid parameter at 'imageIds' failed to satisfy constraint: 'Member must have length between 1 and {_MOST}'",
            )
        deleted: list[dict[str, str]] = []
        failures: list[dict[str, Any]] = []
        for image_id in asked:
            refused = _refusal(store, repository, image_id)
            if refused is None:
                deleted += _delete(store, repository, image_id)
            else:
                failures.append(_failure(image_id, *refused))
        return ActionResult({"imageIds": deleted, "failures": failures})

    for replacement in (batch_get_image, batch_delete_image):
        setattr(ECRResponse, replacement.__name__, replacement)


def named_by(repository: Repository, digest: str) -> list[str]:
    """Digests of the indexes that list an image."""
    return [
        image.get_image_digest()
        for image in repository.images
        if any(
            child.get("digest") == digest for child in json.loads(image.image_manifest).get("manifests") or ()
        )
    ]


def _failure(image_id: dict[str, str], code: str, reason: str) -> dict[str, Any]:
    return {"imageId": image_id, "failureCode": code, "failureReason": reason}


def _refusal(store: Images, repository: Repository, image_id: dict[str, str]) -> tuple[str, str] | None:
    digest, tag = image_id.get("imageDigest"), image_id.get("imageTag")
    if digest is None and tag is None:
        return "MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null"
    if digest is not None and not _DIGEST.fullmatch(digest):
        return (
            "InvalidImageDigest",
            "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
        )
    image = store.find_image(repository, digest or tag or "")
    if image is None:
        return "ImageNotFound", _NOT_FOUND
    if digest is not None and tag is not None and tag not in image.image_tags:
        return "ImageTagDoesNotMatchDigest", "The image tag does not match the image digest"
    others = set(image.image_tags) - {tag} if digest is None else set()
    indexes = named_by(repository, image.get_image_digest())
    # A tag may go while the image has others.
    if indexes and not others:
        return (
            "ImageReferencedByManifestList",
            "Requested image referenced by manifest list: " + json.dumps(indexes),
        )
    return None


def _delete(store: Images, repository: Repository, image_id: dict[str, str]) -> list[dict[str, str]]:
    digest, tag = image_id.get("imageDigest"), image_id.get("imageTag")
    image = store.find_image(repository, digest or tag or "")
    assert image is not None
    gone = [tag] if digest is None and tag else list(image.image_tags)
    for each in gone:
        image.remove_tag(each)
    if digest is not None or not image.image_tags:
        repository.images.remove(image)
    named = {"imageDigest": image.get_image_digest()}
    return [named | {"imageTag": each} for each in gone] or [named]
