"""Reads an index: the manifests that it names, with images separated from what only describes one.

Source: OCI image specification, "Image Index"; BuildKit, "Image attestation storage".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ecr_widgets.model.registry import Child

_KIND, _OF = "vnd.docker.reference.type", "vnd.docker.reference.digest"
_NO_PLATFORM = "unknown/unknown"


def children_of(manifest: Mapping[str, Any]) -> tuple[Child, ...]:
    """The manifests that an index names; none if the manifest is not an index.

    Raises:
        LookupError, TypeError, ValueError, AttributeError: Malformed.
    """
    return tuple(_child(each) for each in manifest.get("manifests") or ())


def platform_of(entry: Mapping[str, Any]) -> str:
    """The platform in an index entry or a configuration, such as `linux/arm64/v8`; empty if there is none."""
    parts = (entry.get(name) for name in ("os", "architecture", "variant"))
    platform = "/".join(str(part) for part in parts if part)
    return "" if platform == _NO_PLATFORM else platform


def _child(entry: Mapping[str, Any]) -> Child:
    notes = entry.get("annotations") or {}
    attests = str(notes.get(_OF, "")) if notes.get(_KIND) == "attestation-manifest" else ""
    platform = entry.get("platform") or {}
    is_image = not attests and f"{platform.get('os')}/{platform.get('architecture')}" != _NO_PLATFORM
    return Child(str(entry["digest"]), platform_of(platform) if is_image else "", attests, is_image)
