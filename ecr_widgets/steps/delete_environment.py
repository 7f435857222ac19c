"""Delete an environment with everything in it."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.shared.deletion import Deletion, Entity
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.step import unrecorded


@dataclass(frozen=True)
class DeleteEnvironment(Deletion):
    """Delete an environment with everything in it; no error if it does not exist.

    Args:
        timeout_s: Longest wait, in seconds.

    Raises:
        DeploymentFailed: The job failed; its log says why.

        WaitTimeout: Up to v0.12.6 an environment with tasks takes 15 minutes and fails: delete the tasks first.
    """

    asks: ClassVar = ("Layer0: DELETE /environment/ID",)

    environment: str
    _: KW_ONLY
    timeout_s: float = unrecorded(1800.0)

    def look(self, outside: Outside, progress: ProgressSink) -> Entity | None:
        place = outside.layer0_of(self.environment, "deleting an environment").find_environment(
            self.environment
        )
        return Entity(place.environment_id, self.environment) if place is not None else None

    def delete(self, outside: Outside, entity_id: str) -> str:
        return outside.layer0.delete_environment(entity_id)
