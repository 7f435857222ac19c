"""Wait until a service runs its deploy."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.deploy_service import ServiceOutcome
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.service_wait import WaitOutcome, wait_for_service
from ecr_widgets.steps.step import Step


@dataclass(frozen=True)
class Wait(Step[None, WaitOutcome]):
    """Wait until the service runs its deploy and nothing else.

    Args:
        timeout_s: Longest wait, in seconds.

    Raises:
        DeploymentFailed: Containers of the deploy stop again and again; `reasons` and the last log lines say why.

        TargetBusy: Somebody else has moved the service meanwhile; what they deployed is left alone.

        WaitTimeout: The deadline came first.
    """

    service: ServiceOutcome
    _: KW_ONLY
    timeout_s: float = 600.0

    def inputs(self, outside: Outside) -> dict[str, Any]:
        return {
            "environment": self.service.environment,
            "service": self.service.service,
            "deploy_id": self.service.deploy_id,
            "timeout_s": self.timeout_s,
        }

    def look(self, outside: Outside, progress: ProgressSink) -> None:
        """Look at nothing: the wait does that."""

    def plan(self, outside: Outside, found: None) -> WaitOutcome:
        return WaitOutcome(
            self.service.service_id, self.service.service, self.service.deploy_id, 0, 0, 0, 0.0
        )

    def plan_record(self, outside: Outside, found: None, planned: WaitOutcome) -> dict[str, Any]:
        # Nothing was counted yet, so the record has no numbers.
        return {"service_id": self.service.service_id, "changed": False}

    def act(self, outside: Outside, found: None, progress: ProgressSink) -> WaitOutcome:
        return wait_for_service(
            outside.services_of(self.service.environment),
            outside.clock,
            self.service.service_id,
            deploy_id=self.service.deploy_id,
            deployment_id=self.service.deployment_id,
            timeout_s=self.timeout_s,
            earlier=outside.looks.get(self.service.service_id),
            run_id=outside.run_id,
            progress=progress,
        )
