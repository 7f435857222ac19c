"""Run Layer0's scaler on an environment's instances immediately."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ecr_widgets.model.layer0_cluster import ClusterScale
from ecr_widgets.model.services import Place
from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.service_lookup import find_environment
from ecr_widgets.steps.step import Step


@dataclass(frozen=True)
class ScaleEnvironment(Step[Place, Any]):
    """Run Layer0's scaler on an environment's instances immediately, and say what it found.

    Raises:
        EntityNotFound: No such environment.
    """

    asks: ClassVar = ("Layer0: POST /admin/scale/ID",)

    environment: str

    def look(self, outside: Outside, progress: ProgressSink) -> Place:
        return find_environment(
            outside.layer0_of(self.environment, "scaling an environment"), self.environment
        )

    def plan(self, outside: Outside, found: Place) -> dict[str, Any]:
        """What it would find is only known when it runs."""
        return {"environment_id": found.environment_id, "changed": True}

    def act(self, outside: Outside, found: Place, progress: ProgressSink) -> ClusterScale:
        return outside.layer0.scale_environment(found.environment_id)
