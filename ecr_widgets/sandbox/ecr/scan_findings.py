"""Image scans: they run, and find nothing. moto would make up a finding for every image."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.ecr.models import Image
from moto.ecr.responses import ECRResponse

from ecr_widgets.sandbox.ecr.images import Images


def add_scans(store: Images) -> None:
    """Replace moto's calls with the corrected ones."""

    def start_image_scan(self: ECRResponse) -> ActionResult:
        answer, image = _answer(self)
        # Refuses a second scan on the same day, as AWS does.
        store.backend.start_image_scan(store.account, answer["repositoryName"], self._get_param("imageId"))
        # moto keeps it in the machine's local time.
        image.last_scan = datetime.fromtimestamp(store.now_s())  # noqa: DTZ006
        return ActionResult({**answer, "imageScanStatus": {"status": "IN_PROGRESS"}})

    def describe_image_scan_findings(self: ECRResponse) -> ActionResult:
        answer, image = _answer(self)
        # Raises an error if no scan was started.
        store.backend.describe_image_scan_findings(
            store.account, answer["repositoryName"], self._get_param("imageId")
        )
        scanned_at = image.last_scan.astimezone(UTC)  # type: ignore[union-attr]
        return ActionResult(
            {
                **answer,
                "imageScanStatus": {
                    "status": "COMPLETE",
                    "description": "The scan was completed successfully.",
                },
                "imageScanFindings": {
                    "imageScanCompletedAt": scanned_at,
                    "vulnerabilitySourceUpdatedAt": scanned_at,
                    "findings": [],
                    "findingSeverityCounts": {},
                },
            }
        )

    def _answer(self: ECRResponse) -> tuple[dict[str, Any], Image]:
        repository = store.require_repository(self._get_param("repositoryName"))
        asked = self._get_param("imageId")
        image = repository._get_image(asked.get("imageTag"), asked.get("imageDigest"))
        # If there are several tags, the one that was asked for; moto answers with any of them.
        named = {"imageDigest": image.get_image_digest()}
        if asked.get("imageTag"):
            named["imageTag"] = asked["imageTag"]
        return {"registryId": store.account, "repositoryName": repository.name, "imageId": named}, image

    for replacement in (start_image_scan, describe_image_scan_findings):
        setattr(ECRResponse, replacement.__name__, replacement)
