"""What a lifecycle policy would expire, by ECR's evaluation rules; moto has no preview.

Source: Amazon ECR user guide, "Lifecycle policies", "Lifecycle policy evaluation rules".
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.core.responses import ActionResult
from moto.ecr.models import Image, Repository
from moto.ecr.policy_validation import EcrLifecyclePolicyValidator
from moto.ecr.responses import ECRResponse

from ecr_widgets.sandbox.ecr.images import Images, refuse


def add_previews(store: Images) -> None:
    """Add the preview calls, which moto lacks; a preview is complete when first asked for."""
    previews: dict[str, str] = {}

    def start_lifecycle_policy_preview(self: ECRResponse) -> ActionResult:
        repository = store.require_repository(self._get_param("repositoryName"))
        policy = self._get_param("lifecyclePolicyText") or repository.lifecycle_policy
        if not policy:
            raise refuse("LifecyclePolicyNotFoundException", "Lifecycle policy does not exist")
        EcrLifecyclePolicyValidator(policy).validate()
        previews[repository.name] = policy
        return ActionResult(described(repository, policy) | {"status": "IN_PROGRESS"})

    def get_lifecycle_policy_preview(self: ECRResponse) -> ActionResult:
        repository = store.require_repository(self._get_param("repositoryName"))
        policy = previews.get(repository.name)
        if policy is None:
            raise refuse(
                "LifecyclePolicyPreviewNotFoundException", "There is no preview of the lifecycle policy"
            )
        expired = [
            {
                "imageTags": [tag for tag in image.image_tags or [] if tag],
                "imageDigest": image.get_image_digest(),
                "imagePushedAt": pushed_at(image),
                "action": {"type": "EXPIRE"},
                "appliedRulePriority": priority,
            }
            for image, priority in expiring(policy, repository.images, datetime.now(UTC))
        ]
        summary = {"expiringImageTotalCount": len(expired)}
        return ActionResult(
            described(repository, policy)
            | {"status": "COMPLETE", "previewResults": expired, "summary": summary}
        )

    def described(repository: Repository, policy: str) -> dict[str, Any]:
        return {
            "registryId": store.account,
            "repositoryName": repository.name,
            "lifecyclePolicyText": policy,
        }

    for addition in (start_lifecycle_policy_preview, get_lifecycle_policy_preview):
        setattr(ECRResponse, addition.__name__, addition)


def expiring(policy: str, images: Sequence[Image], now: datetime) -> list[tuple[Image, int]]:
    """The images that would expire, each with the priority of the rule that applies."""
    rules = sorted(json.loads(policy)["rules"], key=lambda rule: rule["rulePriority"])
    expired: dict[int, tuple[Image, int]] = {}
    taken: set[int] = set()
    for rule in rules:
        selection = rule["selection"]
        meant = [image for image in images if _is_meant(image, selection)]
        for image in _old(meant, selection, now):
            # No other rule may expire what a rule of higher priority selects.
            if id(image) not in taken:
                expired[id(image)] = (image, rule["rulePriority"])
        taken |= {id(image) for image in meant}
    staying = [image for image in images if id(image) not in expired]
    # An image that an index lists stays as long as the index does.
    named = {
        child.get("digest")
        for image in staying
        for child in json.loads(image.image_manifest).get("manifests") or ()
    }
    return [each for each in expired.values() if each[0].get_image_digest() not in named]


def _is_meant(image: Image, selection: dict[str, Any]) -> bool:
    tags = [tag for tag in image.image_tags or [] if tag]
    status = selection["tagStatus"]
    if status == "untagged":
        return not tags
    if status == "any":
        return True
    prefixes, patterns = selection.get("tagPrefixList", []), selection.get("tagPatternList", [])
    # An image is selected if all prefixes or patterns are found among its tags.
    return bool(tags) and all(
        [
            *(any(tag.startswith(prefix) for tag in tags) for prefix in prefixes),
            *(any(fnmatch.fnmatchcase(tag, pattern) for tag in tags) for pattern in patterns),
        ]
    )


def _old(images: Sequence[Image], selection: dict[str, Any], now: datetime) -> list[Image]:
    # moto keeps whole seconds; within a second, the order of the pushes counts.
    newest_first = sorted(images, key=pushed_at)[::-1]
    number = int(selection["countNumber"])
    if selection["countType"] == "imageCountMoreThan":
        return newest_first[number:]
    return [image for image in newest_first if pushed_at(image) <= now - timedelta(days=number)]


def pushed_at(image: Image) -> datetime:
    """Aware UTC time of the push."""
    pushed: Any = image.image_pushed_at
    return pushed.astimezone(UTC) if isinstance(pushed, datetime) else datetime.fromtimestamp(pushed, UTC)
