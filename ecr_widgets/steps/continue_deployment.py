"""Continue a deployment that waits at a pause."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from ecr_widgets.errors import InputError
from ecr_widgets.model.services import Deployment, Service
from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.check_evidence import CheckEvidence, check_current_deploy
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.reconcile import reconcile
from ecr_widgets.steps.shared.service_lookup import find_environment, require_service
from ecr_widgets.steps.step import Step


@dataclass(frozen=True, slots=True)
class ContinuedOutcome:
    """The deployment that waited."""

    service_id: str
    service: str
    deploy_id: str
    deployment_id: str
    stage: str
    """The stage at which it waited."""
    changed: bool


@dataclass(frozen=True)
class ContinueDeployment(Step[Service, ContinuedOutcome]):
    """Continue a service's deployment that waits at a pause, or have it rolled back to what ran before.

    Args:
        roll_back: Whether to have it rolled back.

    Raises:
        EntityNotFound: No such environment or service.

        InputError: It does not wait at a pause hook.
    """

    asks: ClassVar = ("continue_deployment",)
    compares: ClassVar = False

    environment: str
    service: str
    _: KW_ONLY
    roll_back: bool = False

    def gated(self, outside: Outside) -> CheckEvidence | None:
        # What ran before still runs, so rolling back starts nothing.
        if self.roll_back:
            return None
        return check_current_deploy(
            outside, self.environment, self.service, lambda found: bool(_waiting(found).hook_id)
        )

    def asked(self, outside: Outside, found: Service) -> tuple[str, ...]:
        return outside.requests(self.environment, *self.asks)

    def look(self, outside: Outside, progress: ProgressSink) -> Service:
        services = outside.services_of(self.environment)
        service = require_service(services, find_environment(services, self.environment), self.service)
        if not _waiting(service).hook_id:
            raise InputError(
                f"service {service.name!r} does not wait at a pause hook", hint=f"look at it: `ecr-widgets service show"
                f" {self.environment} {self.service}`",
            )  # fmt: skip
        return service

    def plan(self, outside: Outside, found: Service) -> ContinuedOutcome:
        waiting = _waiting(found)
        return ContinuedOutcome(
            found.service_id,
            found.name,
            waiting.deploy_id,
            waiting.deployment_id,
            waiting.stage,
            changed=True,
        )

    def act(self, outside: Outside, found: Service, progress: ProgressSink) -> ContinuedOutcome:
        services, waiting = outside.services_of(self.environment), _waiting(found)

        def go_on() -> bool:
            services.continue_deployment(found.service_id, waiting.deployment_id, roll_back=self.roll_back)
            return True

        def went_on() -> bool | None:
            now = services.find_deployment(found.service_id, waiting.deployment_id)
            return (now is not None and now.hook_id != waiting.hook_id) or None

        reconcile(outside.clock, go_on, went_on)
        return self.plan(outside, found)


def _waiting(service: Service) -> Deployment:
    """The primary deployment, which there must be."""
    if service.primary is None:
        raise InputError(f"service {service.name!r} has no deployment")
    return service.primary
