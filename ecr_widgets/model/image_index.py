"""An index read: the manifests that it names, with images separated from what only describes one.

Source: OCI image specification, "Image Index"; BuildKit, "Image attestation storage".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ecr_widgets.model.registry import Child

_KIND, _OF = "vnd.docker.reference.type", "vnd.docker.reference.digest"
_NO_PLATFORM = "unknown/unknown"


def children_of(manifest: Mapping[str, Any]) -> tuple[Child, ...]:
    """What an index names; nothing where the manifest is none.

    Raises:
        LookupError, TypeError, ValueError, AttributeError: It is not what an index is.
    """
    return tuple(_child(each) for each in manifest.get("manifests") or ())


def platform_of(entry: Mapping[str, Any]) -> str:
    """`linux/arm64/v8`, of a platform as an index or a configuration has it; empty where it is none."""
    parts = (entry.get(name) for name in ("os", "architecture", "variant"))
    platform = "/".join(str(part) for part in parts if part)
    return "" if platform == _NO_PLATFORM else platform


def _child(entry: Mapping[str, Any]) -> Child:
    notes = entry.get("annotations") or {}
    attests = str(notes.get(_OF, "")) if notes.get(_KIND) == "attestation-manifest" else ""
    platform = entry.get("platform") or {}
    is_image = not attests and f"{platform.get('os')}/{platform.get('architecture')}" != _NO_PLATFORM
    return Child(str(entry["digest"]), platform_of(platform) if is_image else "", attests, is_image)
