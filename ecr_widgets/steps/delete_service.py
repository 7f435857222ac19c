"""Delete a service and wait until it is gone."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.shared.deletion import Deletion, Entity
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.service_lookup import find_environment
from ecr_widgets.steps.step import unrecorded


@dataclass(frozen=True)
class DeleteService(Deletion):
    """Delete a service and wait until it is gone; no error if it does not exist.

    Args:
        timeout_s: Longest wait, in seconds.

    Raises:
        EntityNotFound: No such environment.

        DeploymentFailed: The job failed; its log says why.
    """

    asks: ClassVar = ("Layer0: DELETE /service/ID",)

    environment: str
    service: str
    _: KW_ONLY
    timeout_s: float = unrecorded(900.0)

    def holds(self, outside: Outside) -> str:
        return outside.service_target(self.environment, self.service)

    def look(self, outside: Outside, progress: ProgressSink) -> Entity | None:
        layer0 = outside.layer0_of(self.environment, "deleting a service")
        place = find_environment(layer0, self.environment)
        service = layer0.find_service(place.environment_id, self.service)
        return Entity(service.service_id, service.name) if service is not None else None

    def delete(self, outside: Outside, entity_id: str) -> str:
        return outside.layer0.delete_service(entity_id)
