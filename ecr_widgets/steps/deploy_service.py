"""Bring a service to a deploy: create it if it does not exist, else move it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from ecr_widgets.model.services import Place, Service
from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.create_deploy import DeployOutcome
from ecr_widgets.steps.shared.outside import EarlierAttempts, Outside
from ecr_widgets.steps.shared.reconcile import reconcile
from ecr_widgets.steps.shared.service_balancer import balancer_for
from ecr_widgets.steps.shared.service_lookup import find_service
from ecr_widgets.steps.step import NOT_YET, Step, if_given


@dataclass(frozen=True, slots=True)
class ServiceOutcome:
    """The service and the deploy that it was brought to."""

    service_id: str
    service: str
    environment_id: str
    environment: str
    deploy_id: str
    previous_deploy_id: str | None
    changed: bool
    reconciled: bool = False
    """Whether the reply was lost and the change found by looking."""
    deployment_id: str = ""
    """Of the deployment that this started, or that brings the service there; empty where that is not known."""


@dataclass(frozen=True, slots=True)
class FoundService:
    """The service before it is changed."""

    environment: Place
    service: Service | None
    """None if it does not exist."""
    load_balancer_id: str = ""
    """Of the one that it is created behind."""

    @property
    def deploy_id(self) -> str | None:
        """What it runs or moves to."""
        primary = self.service.primary if self.service is not None else None
        return primary.deploy_id if primary is not None else None


@dataclass(frozen=True)
class DeployService(Step[FoundService, ServiceOutcome]):
    """Create the service if it does not exist, else move it to the deploy; the record's name says which.

    Args:
        load_balancer: Name of the one that the service is created behind; one that exists must be behind it already. None
            or empty for none.

    Raises:
        EntityNotFound: No such environment, load balancer or deploy.

        TargetBusy: Somebody else is at work on the service.

        OutcomeUnknown: The reply was lost, and the service is not on the deploy.
    """

    step: ClassVar = "update_service"
    asks: ClassVar = ("update_service",)

    environment: str
    service: str
    deploy: DeployOutcome | str
    _: KW_ONLY
    load_balancer: str | None = if_given(None)

    @property
    def deploy_id(self) -> str:
        """Of the deploy that the service is brought to."""
        return self.deploy if isinstance(self.deploy, str) else self.deploy.deploy_id

    def inputs(self, outside: Outside) -> dict[str, Any]:
        inputs = {"environment": self.environment, "service": self.service, "deploy_id": self.deploy_id}
        return inputs | ({"load_balancer": self.load_balancer} if self.load_balancer else {})

    def holds(self, outside: Outside) -> str:
        return outside.service_target(self.environment, self.service)

    def look(self, outside: Outside, progress: ProgressSink) -> FoundService:
        place, service = find_service(outside.services_of(self.environment), self.environment, self.service)
        if not self.load_balancer or self.deploy_id == NOT_YET:
            return FoundService(place, service)
        balancer = balancer_for(outside.layer0, place, self.load_balancer, self.deploy_id, service)
        return FoundService(place, service, balancer.load_balancer_id)

    def current(self, found: FoundService) -> str | None:
        return found.deploy_id

    def wanted(self, found: FoundService) -> str:
        return self.deploy_id

    def learned(self, found: FoundService) -> tuple[str, Mapping[str, Any]]:
        if found.service is None:
            return "create_service", {}
        # For whoever resumes this run: then it is on the new one.
        moved = found.deploy_id != self.deploy_id
        return self.step, {"previous_deploy_id": found.deploy_id} if moved else {}

    def asked(self, outside: Outside, found: FoundService) -> tuple[str, ...]:
        calls = self.asks if found.service is not None else ("create_service",)
        return outside.requests(self.environment, *calls)

    def plan(self, outside: Outside, found: FoundService) -> ServiceOutcome:
        changed = found.deploy_id != self.deploy_id
        return self._outcome(found, found.service, found.deploy_id, changed=changed)

    def act(self, outside: Outside, found: FoundService, progress: ProgressSink) -> ServiceOutcome:
        services, service, previous = outside.services_of(self.environment), found.service, found.deploy_id
        if service is None:
            place = found.environment.environment_id
            made, reconciled = reconcile(
                outside.clock,
                lambda: services.create_service(
                    place,
                    self.service,
                    self.deploy_id,
                    load_balancer_id=found.load_balancer_id,
                    token=_token(outside.run_id, self.service),
                ),
                lambda: services.find_service(place, self.service),
            )
            return self._outcome(found, made, None, changed=True, reconciled=reconciled)
        service_id = service.service_id
        if previous == self.deploy_id:
            # It was moved there before: by an earlier attempt, which saw from where, or by another run.
            before = self._moved_from(found, outside.earlier) or _still_running(service) or previous
            return self._outcome(found, service, before, changed=False)

        def moved() -> Service | None:
            now = services.read_service(service_id)
            return now if now.primary is not None and now.primary.deploy_id == self.deploy_id else None

        now, reconciled = reconcile(
            outside.clock, lambda: services.update_service(service_id, self.deploy_id), moved
        )
        return self._outcome(found, now, previous, changed=True, reconciled=reconciled)

    def reached(self, outcome: ServiceOutcome) -> str:
        return outcome.deploy_id

    def _outcome(
        self,
        found: FoundService,
        service: Service | None,
        previous: str | None,
        *,
        changed: bool,
        reconciled: bool = False,
    ) -> ServiceOutcome:
        primary = service.primary if service is not None else None
        on_its_way = primary is not None and primary.deploy_id == self.deploy_id
        return ServiceOutcome(
            service.service_id if service is not None else NOT_YET,
            found.service.name if found.service else self.service,
            found.environment.environment_id,
            found.environment.name,
            self.deploy_id,
            previous,
            changed,
            reconciled,
            primary.deployment_id if primary is not None and on_its_way else "",
        )

    def _moved_from(self, found: FoundService, earlier: EarlierAttempts) -> str | None:
        """The deploy that an earlier attempt of this run moved the service from."""
        names = (found.environment.name, found.environment.environment_id)
        for record in earlier.of_step(self.step):
            asked, left = record.inputs, record.inputs.get("previous_deploy_id")
            same = asked.get("service") == self.service and asked.get("environment") in names
            if same and asked.get("deploy_id") == self.deploy_id and left not in (None, self.deploy_id):
                return str(left)
        return None


def _token(run_id: str, service: str) -> str:
    """The same for each attempt of a run to create the service; a target takes at most 36 characters."""
    return hashlib.sha256(f"{run_id} {service}".encode()).hexdigest()[:32]


def _still_running(service: Service) -> str | None:
    """The deploy that a service runs beside the one it moves to: Layer0 stops it only when the new one runs."""
    old = [each for each in service.deployments if each is not service.primary and each.running_count]
    return max(old, key=lambda each: each.created_at).deploy_id if old else None
