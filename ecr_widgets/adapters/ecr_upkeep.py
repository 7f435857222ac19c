"""ECR's calls to maintain repositories and images: settings, lifecycle, tags, deletion, findings."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from ecr_widgets.adapters.ecr_calls import translated
from ecr_widgets.errors import ImageNotFound, TagImmutable
from ecr_widgets.model.image_index import children_of
from ecr_widgets.model.registry import Child, Expiry, Findings
from ecr_widgets.model.tag_rule import TagRule

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecr.type_defs import WaiterConfigTypeDef

_BATCH = 100
"""Images per call, ECR's maximum."""
_PREVIEW_POLLS: WaiterConfigTypeDef = {"Delay": 1, "MaxAttempts": 100}
_MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
)


def mutability(rule: TagRule) -> dict[str, Any]:
    """The request's members for tag mutability."""
    filters = [{"filterType": "WILDCARD", "filter": each} for each in rule.exceptions]
    return {"imageTagMutability": rule.wire} | (
        {"imageTagMutabilityExclusionFilters": filters} if filters else {}
    )


class EcrUpkeep(ABC):
    """Implements the maintenance part of `ports.Ecr`."""

    @property
    @abstractmethod
    def _ecr(self) -> ECRClient:
        """The client, made at first use."""

    def read_indexes(self, repository: str, digests: Sequence[str]) -> dict[str, tuple[Child, ...]]:
        children: dict[str, tuple[Child, ...]] = {}
        for start in range(0, len(digests), _BATCH):
            batch = digests[start : start + _BATCH]
            answer = translated(
                "ecr:BatchGetImage",
                lambda batch=batch: self._ecr.batch_get_image(  # type: ignore[misc]
                    repositoryName=repository,
                    imageIds=[{"imageDigest": digest} for digest in batch],
                    acceptedMediaTypes=list(_MANIFESTS),
                ),
            )
            for each in answer.get("images", ()):
                # A manifest that cannot be read is left out, like one that ECR does not return.
                with suppress(LookupError, TypeError, ValueError, AttributeError, RecursionError):
                    children[each["imageId"]["imageDigest"]] = children_of(json.loads(each["imageManifest"]))
        return children

    def change_repository(
        self, name: str, *, tag_rule: TagRule | None = None, scan_on_push: bool | None = None
    ) -> None:
        if tag_rule is not None:
            translated(
                "ecr:PutImageTagMutability",
                lambda: self._ecr.put_image_tag_mutability(repositoryName=name, **mutability(tag_rule)),
            )
        if scan_on_push is not None:
            translated(
                "ecr:PutImageScanningConfiguration",
                lambda: self._ecr.put_image_scanning_configuration(
                    repositoryName=name, imageScanningConfiguration={"scanOnPush": scan_on_push}
                ),
            )

    def find_lifecycle_policy(self, name: str) -> str | None:
        def call() -> str | None:
            try:
                return self._ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"]
            except self._ecr.exceptions.LifecyclePolicyNotFoundException:
                return None

        return translated("ecr:GetLifecyclePolicy", call)

    def set_lifecycle_policy(self, name: str, policy: str) -> None:
        translated(
            "ecr:PutLifecyclePolicy",
            lambda: self._ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=policy),
        )

    def find_repository_policy(self, name: str) -> str | None:
        def call() -> str | None:
            try:
                return self._ecr.get_repository_policy(repositoryName=name)["policyText"]
            except self._ecr.exceptions.RepositoryPolicyNotFoundException:
                return None

        return translated("ecr:GetRepositoryPolicy", call)

    def preview_lifecycle_policy(self, name: str, policy: str) -> tuple[Expiry, ...]:
        translated(
            "ecr:StartLifecyclePolicyPreview",
            lambda: self._ecr.start_lifecycle_policy_preview(repositoryName=name, lifecyclePolicyText=policy),
        )

        def call() -> tuple[Expiry, ...]:
            # Waits until ECR has the result: some seconds, 100 at most.
            self._ecr.get_waiter("lifecycle_policy_preview_complete").wait(
                repositoryName=name, WaiterConfig=_PREVIEW_POLLS
            )
            pages = self._ecr.get_paginator("get_lifecycle_policy_preview").paginate(repositoryName=name)
            return tuple(
                Expiry(
                    raw["imageDigest"],
                    tuple(raw.get("imageTags", ())),
                    raw["imagePushedAt"],
                    raw["appliedRulePriority"],
                )
                for page in pages
                for raw in page["previewResults"]
            )

        return translated("ecr:GetLifecyclePolicyPreview", call)

    def delete_repository(self, name: str, *, with_images: bool) -> None:
        translated(
            "ecr:DeleteRepository",
            lambda: self._ecr.delete_repository(repositoryName=name, force=with_images),
        )

    def tag_image(self, repository: str, digest: str, tag: str) -> None:
        def call() -> None:
            found = self._ecr.batch_get_image(
                repositoryName=repository,
                imageIds=[{"imageDigest": digest}],
                acceptedMediaTypes=list(_MANIFESTS),
            )["images"]
            if not found:
                raise ImageNotFound(
                    f"{repository} has no image {digest}", hint="list its images, then name one of them"
                )
            try:
                self._ecr.put_image(
                    repositoryName=repository,
                    imageManifest=found[0]["imageManifest"],
                    imageManifestMediaType=found[0].get("imageManifestMediaType", _MANIFESTS[0]),
                    imageTag=tag,
                    imageDigest=digest,
                )
            except self._ecr.exceptions.ImageAlreadyExistsException:
                return  # the tag is set already
            except self._ecr.exceptions.ImageTagAlreadyExistsException as error:
                raise TagImmutable(
                    f"tag {tag!r} of {repository} names another image and cannot be moved: the repository's tags"
                    " are immutable",
                    standing="",
                    wanted=digest,
                    hint="set a new tag",
                ) from error

        translated("ecr:PutImage", call)

    def delete_images(self, repository: str, digests: Sequence[str]) -> dict[str, str]:
        def call(batch: Sequence[str]) -> dict[str, str]:
            answer = self._ecr.batch_delete_image(
                repositoryName=repository, imageIds=[{"imageDigest": digest} for digest in batch]
            )
            return {
                str(failure.get("imageId", {}).get("imageDigest", "")): failure.get("failureReason")
                or failure.get("failureCode", "no reason")
                for failure in answer.get("failures", ())
                if failure.get("failureCode") != "ImageNotFound"
            }

        kept: dict[str, str] = {}
        for start in range(0, len(digests), _BATCH):
            kept |= translated("ecr:BatchDeleteImage", partial(call, digests[start : start + _BATCH]))
        return kept

    def find_findings(self, repository: str, digest: str) -> Findings | None:
        def call() -> Findings | None:
            try:
                answer = self._ecr.describe_image_scan_findings(
                    repositoryName=repository, imageId={"imageDigest": digest}, maxResults=1
                )
            except self._ecr.exceptions.ScanNotFoundException:
                return None
            found = answer.get("imageScanFindings", {})
            return Findings(
                answer["imageScanStatus"]["status"],
                {str(severity): count for severity, count in found.get("findingSeverityCounts", {}).items()},
                found.get("imageScanCompletedAt"),
            )

        return translated("ecr:DescribeImageScanFindings", call)
