"""Delete a load balancer and wait until it is gone."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.shared.deletion import Deletion, Entity
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.service_lookup import find_environment
from ecr_widgets.steps.step import unrecorded


@dataclass(frozen=True)
class DeleteLoadBalancer(Deletion):
    """Delete a load balancer and wait until it is gone; no error if it does not exist.

    Args:
        timeout_s: Longest wait, in seconds.

    Raises:
        EntityNotFound: No such environment.

        DeploymentFailed: The job failed; its log says why.
    """

    asks: ClassVar = ("Layer0: DELETE /loadbalancer/ID",)

    environment: str
    load_balancer: str
    _: KW_ONLY
    timeout_s: float = unrecorded(900.0)

    def look(self, outside: Outside, progress: ProgressSink) -> Entity | None:
        layer0 = outside.layer0_of(self.environment, "a load balancer")
        place = find_environment(layer0, self.environment)
        balancer = layer0.find_load_balancer(place.environment_id, self.load_balancer)
        return Entity(balancer.load_balancer_id, balancer.name) if balancer is not None else None

    def delete(self, outside: Outside, entity_id: str) -> str:
        return outside.layer0.delete_load_balancer(entity_id)
