"""What a planned change would ask, and of whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ecr_widgets.model.record import JsonObject
from ecr_widgets.recording.recorder import Recorder, as_json

T = TypeVar("T")
_ASKS = {
    "create_repository": ("ECR: CreateRepository",),
    "change_repository": ("ECR: PutImageTagMutability", "ECR: PutImageScanningConfiguration"),
    "set_lifecycle_policy": ("ECR: PutLifecyclePolicy",),
    "delete_repository": ("ECR: DeleteRepository",),
    "tag_image": ("ECR: PutImage",),
    "delete_images": ("ECR: BatchDeleteImage",),
    "build_image": ("Docker Engine: POST /build",),
    "push_image": (
        "Docker Engine: POST /images/NAME/tag",
        "Docker Engine: POST /images/NAME/push",
        "registry: blob uploads",
        "registry: PUT manifest",
    ),
    "pull_image": ("Docker Engine: POST /images/create",),
    "copy_image": ("registry: blob uploads", "registry: PUT manifest"),
    "create_deploy": ("Layer0: POST /deploy",),
    "update_service": ("Layer0: PUT /service/ID/deploy",),
    "create_service": ("Layer0: POST /service/",),
    "rollback": ("Layer0: PUT /service/ID/deploy",),
    "scale_service": ("Layer0: PUT /service/ID/scale",),
    "create_task": ("Layer0: POST /task/",),
}
"""Requests that change something, by step; a registry's and Layer0's addresses are in the record of `check_target`."""


class PlanRecorder(Recorder):
    """Adds to each planned change what it would ask of whom."""

    def plan(self, step: str, inputs: JsonObject, look: Callable[[], T]) -> T:
        """See `Recorder.plan`."""
        found: list[T] = []

        def told() -> dict[str, Any]:
            outcome = look()
            found.append(outcome)
            plain: dict[str, Any] = as_json(outcome) or {}
            made = step == "update_service" and plain.get("previous_deploy_id") is None
            asks = _ASKS.get("create_service" if made else step, ())
            return plain | ({"asks": asks} if plain.get("changed") and asks else {})

        super().plan(step, inputs, told)
        return found[0]
