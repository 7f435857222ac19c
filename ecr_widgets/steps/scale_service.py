"""Scale a service to a number of copies."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from ecr_widgets.errors import InputError
from ecr_widgets.model.services import Service
from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.check_evidence import CheckEvidence, check_current_deploy
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.reconcile import reconcile
from ecr_widgets.steps.shared.service_lookup import find_environment, require_movable, require_service
from ecr_widgets.steps.shared.service_wait import wait_for_service
from ecr_widgets.steps.step import Step, unrecorded

_MOST_COPIES = 1000


@dataclass(frozen=True, slots=True)
class ScaleOutcome:
    """The service and its number of copies."""

    service_id: str
    service: str
    previous_count: int
    desired_count: int
    running_count: int
    changed: bool
    warnings: tuple[str, ...] = ()
    """What will change the number again, such as auto scaling."""


@dataclass(frozen=True)
class ScaleService(Step[Service, ScaleOutcome]):
    """Scale a service to a number of copies, and wait until they run.

    Args:
        timeout_s: Longest wait, in seconds.

    Raises:
        EntityNotFound: No such environment or service.

        InputError: The number makes no sense.

        DeploymentFailed: The copies stop again and again.

        WaitTimeout: The deadline came first.
    """

    asks: ClassVar = ("scale_service",)
    compares: ClassVar = False

    environment: str
    service: str
    count: int
    _: KW_ONLY
    wait: bool = unrecorded(default=True)
    timeout_s: float = unrecorded(600.0)

    def gated(self, outside: Outside) -> CheckEvidence | None:
        # More copies of what already runs are never refused, since load cannot wait.
        if not self.count:
            return None
        return check_current_deploy(
            outside, self.environment, self.service, lambda found: not found.desired_count
        )

    def holds(self, outside: Outside) -> str:
        return outside.service_target(self.environment, self.service)

    def asked(self, outside: Outside, found: Service) -> tuple[str, ...]:
        return outside.requests(self.environment, *self.asks)

    def look(self, outside: Outside, progress: ProgressSink) -> Service:
        if not 0 <= self.count <= _MOST_COPIES:
            raise InputError(f"{self.count} copies refused", hint=f"it goes from 0 to {_MOST_COPIES}")
        planned = outside.planned.get(outside.service_key(self.environment, self.service))
        if isinstance(planned, Service):
            return planned
        place = find_environment(outside.services_of(self.environment), self.environment)
        service = require_service(outside.services_of(self.environment), place, self.service)
        require_movable(service)
        return service

    def plan(self, outside: Outside, found: Service) -> ScaleOutcome:
        return self._outcome(found, found.running_count)

    def act(self, outside: Outside, found: Service, progress: ProgressSink) -> ScaleOutcome:
        services = outside.services_of(self.environment)

        def scaled() -> Service | None:
            now = services.read_service(found.service_id)
            return now if now.desired_count == self.count else None

        if found.desired_count != self.count:
            reconcile(outside.clock, lambda: services.scale_service(found.service_id, self.count), scaled)
        if not self.wait or found.primary is None:
            return self._outcome(found, found.running_count)
        stable = wait_for_service(
            services,
            outside.clock,
            found.service_id,
            deploy_id=found.primary.deploy_id,
            timeout_s=self.timeout_s,
            progress=progress,
        )
        return self._outcome(found, stable.running_count)

    def _outcome(self, found: Service, running_count: int) -> ScaleOutcome:
        changed = found.desired_count != self.count
        bounds = found.scaling
        warnings = (
            (
                f"auto scaling keeps it between {bounds.least} and {bounds.most} copies: it will be changed back",
            )
            if bounds is not None and not bounds.least <= self.count <= bounds.most
            else ()
        )
        return ScaleOutcome(
            found.service_id, found.name, found.desired_count, self.count, running_count, changed, warnings
        )
