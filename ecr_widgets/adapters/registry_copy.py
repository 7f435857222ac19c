"""Copies of images between repositories, from registry to registry, without an engine; the digest stays the same."""

from __future__ import annotations

import json

from ecr_widgets.adapters.registry_referrers import make_listed
from ecr_widgets.adapters.registry_repository import RegistryRepository
from ecr_widgets.errors import RegistryError

_DEEPEST = 3
"""Most levels of nested indexes; no image in use has more."""


def copy_image(source: RegistryRepository, digest: str, target: RegistryRepository, tag: str) -> None:
    """Copy an image, or an index with all its images, byte for byte; what the target already has is not sent again."""
    try:
        _copy(source, digest, target, tag, depth=0)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise RegistryError(
            f"{source.image} is not an image manifest: {type(error).__name__} {error}"
        ) from error


def copy_referrer(source: RegistryRepository, digest: str, target: RegistryRepository) -> None:
    """Copy a manifest that refers to an image, byte for byte, and make sure that it is listed there."""
    try:
        _copy(source, digest, target, digest, depth=0)
        make_listed(target, source.read_manifest(digest).content)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise RegistryError(
            f"{digest} in {source.image.name} is not a manifest: {type(error).__name__} {error}"
        ) from error


def _copy(
    source: RegistryRepository, digest: str, target: RegistryRepository, reference: str, *, depth: int
) -> None:
    manifest = source.read_manifest(digest)
    described = json.loads(manifest.content)
    children = described.get("manifests") or ()
    if children and depth >= _DEEPEST:
        raise RegistryError(f"{source.image} is an index of indexes, {depth} deep, which is not copied")
    for child in children:
        _copy(source, child["digest"], target, child["digest"], depth=depth + 1)
    for part in (*(described.get("layers") or ()), *([described["config"]] if "config" in described else ())):
        # Layers that are stored elsewhere (`urls`) stay there.
        if not part.get("urls"):
            _copy_blob(source, target, part["digest"], int(part["size"]))
    target.put_manifest(reference, manifest.content, manifest.media_type)


def _copy_blob(source: RegistryRepository, target: RegistryRepository, digest: str, size_bytes: int) -> None:
    same = source.image.registry == target.image.registry
    target.put_blob(
        digest,
        size_bytes,
        lambda: source.counted(digest, size_bytes),
        mount_from=source.image.repository if same else "",
    )
