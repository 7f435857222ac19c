"""What refers to an image, as listed by ECR's API and by its registry; and the manifests that ECR refuses.

Source: OCI distribution specification, "Listing Referrers"; Amazon ECR API, ListImageReferrers; refused manifests as in
aws/containers-roadmap issues 2023 and 2783.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from moto.core.responses import ActionResult
from moto.ecr.models import Repository
from moto.ecr.responses import ECRResponse

from ecr_widgets.sandbox.ecr.images import Images, refuse

PAGE = 50
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_OF_DESCRIPTOR = frozenset(("mediaType", "digest", "size", "urls", "annotations", "platform", "artifactType"))


def why_unreadable(manifest: Mapping[str, Any]) -> str | None:
    """Why ECR refuses a manifest that the specification allows; None if it does not."""
    config = manifest.get("config") or {}
    described = [config, manifest.get("subject") or {}, *(manifest.get("layers") or ())]
    if any(each.keys() - _OF_DESCRIPTOR for each in described) or "annotations" in config:
        return "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'"
    return None


def subject_of(manifest: Mapping[str, Any]) -> str | None:
    """Digest of what a manifest is about."""
    digest: str | None = (manifest.get("subject") or {}).get("digest")
    return digest


def artifact_type_of(manifest: Mapping[str, Any]) -> str | None:
    """The type of a manifest's content; None if it does not say."""
    artifact_type: str | None = manifest.get("artifactType") or (manifest.get("config") or {}).get(
        "mediaType"
    )
    return artifact_type


def referrers_of(
    repository: Repository, digest: str, artifact_types: Collection[str] = ()
) -> list[dict[str, Any]]:
    """The descriptors of all manifests in a repository whose subject is that digest, oldest first."""
    referrers = []
    for image in repository.images:
        manifest = json.loads(image.image_manifest)
        artifact_type = artifact_type_of(manifest)
        if subject_of(manifest) != digest or (artifact_types and artifact_type not in artifact_types):
            continue
        described = {
            "mediaType": image.image_manifest_media_type,
            "digest": image.get_image_digest(),
            "size": len(image.image_manifest.encode()),
            "artifactType": artifact_type,
            "annotations": manifest.get("annotations"),
        }
        referrers.append({name: value for name, value in described.items() if value is not None})
    return referrers


def page_of(entries: Sequence[Any], token: str | None, size: int = PAGE) -> tuple[list[Any], str | None]:
    """One page, and the token for the next.

    Raises:
        ValueError: Not a token.
    """
    start = int(base64.urlsafe_b64decode(token)) if token else 0
    end = start + size
    following = base64.urlsafe_b64encode(str(end).encode()).decode() if end < len(entries) else None
    return list(entries[start:end]), following


def add_referrers(store: Images) -> None:
    """Add ListImageReferrers to the control plane; moto lacks it."""

    def list_image_referrers(self: ECRResponse) -> ActionResult:
        repository = store.require_repository(self._get_param("repositoryName"))
        digest = (self._get_param("subjectId") or {}).get("imageDigest") or ""
        wanted, size = self._get_param("filter") or {}, self._get_param("maxResults") or PAGE
        if not _DIGEST.fullmatch(digest):
            raise _invalid("subjectId.imageDigest")
        if not 1 <= size <= PAGE:
            raise _invalid("maxResults")
        entries = referrers_of(repository, digest, wanted.get("artifactTypes") or ())
        if wanted.get("artifactStatus", "ACTIVE") not in ("ACTIVE", "ANY"):
            entries = []  # nothing is archived here
        try:
            page, following = page_of(entries, self._get_param("nextToken"), size)
        except ValueError as error:
            raise _invalid("nextToken") from error
        answer: dict[str, Any] = {"referrers": [each | {"artifactStatus": "ACTIVE"} for each in page]}
        return ActionResult(answer | ({"nextToken": following} if following else {}))

    ECRResponse.list_image_referrers = list_image_referrers  # type: ignore[attr-defined]


def _invalid(name: str) -> Exception:
    return refuse("InvalidParameterException", f"Invalid parameter at '{name}' failed to satisfy constraint")
