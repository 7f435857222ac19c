"""Bring a service to a deploy: create it if it does not exist, or else move it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, ClassVar

from ecr_widgets.dockerrun.service_file import check_applicable, difference_lines, differing
from ecr_widgets.model.services import Place, Service, Settings
from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.check_evidence import CheckEvidence
from ecr_widgets.steps.create_deploy import DeployOutcome, image_planned
from ecr_widgets.steps.shared.outside import EarlierAttempts, Outside
from ecr_widgets.steps.shared.reconcile import reconcile
from ecr_widgets.steps.shared.service_balancer import balancer_for
from ecr_widgets.steps.shared.service_lookup import find_service, require_movable
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
    """Id of the deployment that this started, or that brings the service there; empty if it is not known."""
    differences: tuple[str, ...] = ()
    """Settings of the service file that the service did not have; the inputs say whether they were applied."""


@dataclass(frozen=True, slots=True)
class FoundService:
    """The service before it is changed."""

    environment: Place
    service: Service | None
    """None if it does not exist."""
    load_balancer_id: str = ""
    """Id of the load balancer that it is created behind."""
    settings: Settings | None = None
    """What the service file says."""
    settings_sha256: str = ""
    """SHA-256 of the service file."""
    current_settings: Settings | None = None
    """How the service is run now."""

    @property
    def changed_settings(self) -> Settings:
        """The settings of the file that the service does not have."""
        if self.settings is None or self.current_settings is None:
            return {}
        return differing(self.current_settings, self.settings)

    @property
    def deploy_id(self) -> str | None:
        """What it runs or moves to."""
        primary = self.service.primary if self.service is not None else None
        return primary.deploy_id if primary is not None else None


@dataclass(frozen=True)
class DeployService(Step[FoundService, ServiceOutcome]):
    """Create the service if it does not exist, or else move it to the deploy; the record's name says which.

    Args:
        load_balancer: Name of the one that the service is created behind; an existing service must be behind it already.
            None or empty for none.

        service_file: JSON file in CreateService's form, for an ECS service: how it is created. If the service exists, the
            differences are only shown.

        apply_settings: Whether to change an existing service to the service file.

    Raises:
        EntityNotFound: No such environment, load balancer or deploy.

        TargetBusy: Somebody else is working on the service.

        OutcomeUnknown: The reply was lost, and the service is not on the deploy.
    """

    step: ClassVar = "update_service"
    asks: ClassVar = ("update_service",)

    environment: str
    service: str
    deploy: DeployOutcome | str
    _: KW_ONLY
    load_balancer: str | None = if_given(None)
    service_file: str | Path | None = if_given(None)
    apply_settings: bool = if_given(default=False)

    @property
    def deploy_id(self) -> str:
        """Id of the deploy that the service is brought to."""
        return self.deploy if isinstance(self.deploy, str) else self.deploy.deploy_id

    def inputs(self, outside: Outside) -> dict[str, Any]:
        inputs = {"environment": self.environment, "service": self.service, "deploy_id": self.deploy_id}
        given = {
            "load_balancer": self.load_balancer,
            "service_file": str(self.service_file or ""),
            "apply_settings": self.apply_settings,
        }
        return inputs | {name: value for name, value in given.items() if value}

    def gated(self, outside: Outside) -> CheckEvidence:
        return CheckEvidence(self.environment, image=image_planned(self.deploy), deploy_id=self.deploy_id)

    def holds(self, outside: Outside) -> str:
        return outside.service_target(self.environment, self.service)

    def look(self, outside: Outside, progress: ProgressSink) -> FoundService:
        services = outside.services_of(self.environment)
        place, service = find_service(services, self.environment, self.service)
        require_movable(service)
        balancer_id = ""
        if self.load_balancer and self.deploy_id != NOT_YET:
            layer0 = outside.layer0_of(self.environment, "load_balancer")
            balancer = balancer_for(layer0, place, self.load_balancer, self.deploy_id, service)
            balancer_id = balancer.load_balancer_id
        settings, sha256 = outside.files.read_settings(self.service_file)
        current = services.read_settings(service.service_id) if settings and service is not None else None
        found = FoundService(place, service, balancer_id, settings, sha256, current)
        if self.apply_settings:
            check_applicable(found.changed_settings)
        return found

    def current(self, found: FoundService) -> str | None:
        return found.deploy_id

    def wanted(self, found: FoundService) -> str:
        return self.deploy_id

    def learned(self, found: FoundService) -> tuple[str, Mapping[str, Any]]:
        if found.service is None:
            return "create_service", {}
        # For when this run is resumed: then the service is on the new deploy.
        moved = found.deploy_id != self.deploy_id
        return self.step, {"previous_deploy_id": found.deploy_id} if moved else {}

    def asked(self, outside: Outside, found: FoundService) -> tuple[str, ...]:
        if found.service is None:
            return outside.requests(self.environment, "create_service")
        moves = self.asks if found.deploy_id != self.deploy_id else ()
        applies = ("apply_settings",) if self.apply_settings and found.changed_settings else ()
        return outside.requests(self.environment, *moves, *applies)

    def plan(self, outside: Outside, found: FoundService) -> ServiceOutcome:
        place, count = found.environment.environment_id, (found.settings or {}).get("desiredCount", 1)
        made = found.service or Service(NOT_YET, self.service, place, count, 0, 0)
        outside.planned[outside.service_key(self.environment, self.service)] = made
        changed = found.deploy_id != self.deploy_id or bool(self.apply_settings and found.changed_settings)
        return self._outcome(found, found.service, found.deploy_id, changed=changed)

    def plan_record(
        self, outside: Outside, found: FoundService, planned: ServiceOutcome
    ) -> ServiceOutcome | dict[str, Any]:
        if not found.settings_sha256:
            return planned
        # The approval covers this file, too.
        return {**dataclasses.asdict(planned), "service_file_sha256": found.settings_sha256}

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
                    settings=found.settings,
                    token=_token(outside.run_id, self.service),
                ),
                lambda: services.find_service(place, self.service),
            )
            return self._outcome(found, made, None, changed=True, reconciled=reconciled)
        service_id = service.service_id
        applied = self.apply_settings and bool(found.changed_settings)
        if applied:
            self._apply(outside, service_id, found)
        if previous == self.deploy_id:
            # It was already moved there: by an earlier attempt, which recorded from where, or by another run.
            before = self._moved_from(found, outside.earlier) or _still_running(service) or previous
            return self._outcome(found, service, before, changed=applied)

        def moved() -> Service | None:
            now = services.read_service(service_id)
            return now if now.primary is not None and now.primary.deploy_id == self.deploy_id else None

        now, reconciled = reconcile(
            outside.clock, lambda: services.update_service(service_id, self.deploy_id), moved
        )
        return self._outcome(found, now, previous, changed=True, reconciled=reconciled)

    def _apply(self, outside: Outside, service_id: str, found: FoundService) -> None:
        services, wanted = outside.services_of(self.environment), found.changed_settings

        def applied() -> bool | None:
            return not differing(services.read_settings(service_id) or {}, wanted) or None

        reconcile(outside.clock, lambda: bool(services.apply_settings(service_id, wanted)), applied)

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
            difference_lines(found.current_settings or {}, found.changed_settings),
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
    """A token that is the same for each attempt of a run to create the service; a target takes at most 36 characters."""
    return hashlib.sha256(f"{run_id} {service}".encode()).hexdigest()[:32]


def _still_running(service: Service) -> str | None:
    """The deploy that a service still runs beside the one it moves to: Layer0 only stops it when the new one runs."""
    old = [each for each in service.deployments if each is not service.primary and each.running_count]
    return max(old, key=lambda each: each.created_at).deploy_id if old else None
