"""Layer0's other steps as a plan."""

from __future__ import annotations

from ecr_widgets.kit.layer0 import Layer0Steps
from ecr_widgets.steps import deploy_service as services
from ecr_widgets.steps import layer0_entities as entities


class Layer0Plan(Layer0Steps):
    """Scale can be planned; what else changes something is refused by the connections."""

    def scale_service(
        self, environment: str, service: str, count: int, *, wait: bool = True, timeout_s: float = 600.0
    ) -> entities.ScaleOutcome:
        """Say from how many copies to how many."""

        def look() -> entities.ScaleOutcome:
            where = services.find_environment(self._to.layer0, environment)
            standing = entities.require_service(self._to.layer0, where, service)
            return entities.ScaleOutcome(
                standing.service_id,
                standing.name,
                standing.desired_count,
                count,
                standing.running_count,
                changed=standing.desired_count != count,
            )

        inputs = {
            "environment": environment,
            "service": service,
            "count": count,
            "wait": wait,
            "timeout_s": timeout_s,
        }
        return self._recorder.plan("scale_service", inputs, look)
