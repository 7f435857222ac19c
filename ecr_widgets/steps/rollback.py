"""Bring a service back to a deploy that it ran before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, ClassVar

from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.errors import EcrWidgetsError, EntityNotFound, RollbackFailed, TargetBusy
from ecr_widgets.model.services import Deploy, Service
from ecr_widgets.ports import ProgressSink
from ecr_widgets.ports.services import Services
from ecr_widgets.steps.check_evidence import CheckEvidence
from ecr_widgets.steps.deploy_service import ServiceOutcome
from ecr_widgets.steps.shared.earlier_deploy import earlier_deploy, require_earlier
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.reconcile import reconcile
from ecr_widgets.steps.shared.service_lookup import require_movable
from ecr_widgets.steps.shared.service_wait import wait_for_service
from ecr_widgets.steps.shared.stored_deploys import equal_deploy
from ecr_widgets.steps.step import Step, unrecorded


@dataclass(frozen=True, slots=True)
class RollbackOutcome:
    """The service on the deploy that it was brought back to."""

    service_id: str
    service: str
    deploy_id: str
    left_deploy_id: str | None
    waited_s: float
    changed: bool
    environment: str = ""
    stored_again: str = ""
    """The deploy whose content `deploy_id` has, if the target no longer accepts it; otherwise empty."""


@dataclass(frozen=True, slots=True)
class WayBack:
    """What the service is on, and the deploy to go back to; None if not known."""

    current: str | None
    deploy_id: str | None
    retired: Deploy | None = None
    """That deploy, if the target no longer accepts it for a service: then it is stored again."""
    stops: str = ""
    """The current deployment, if it only needs to be stopped, since what ran before it still runs."""


@dataclass(frozen=True)
class Rollback(Step[WayBack, RollbackOutcome]):
    """Bring the service back to the deploy that it ran before, or to the named one, and wait until it runs there.

    Args:
        deploy_id: Deploy to go back to; None for the last one that is proven to have run, or else the previous version.

        timeout_s: Longest wait, in seconds.

        after_failure: Whether a deploy has just failed: then only a deploy that is known to have run will do. None to decide
            by the service.

    Raises:
        InputError: There is nothing to go back to; nothing was changed.

        RollbackFailed: The service does not run it either, or, after a failed deploy, nothing is known to go back to.

        TargetBusy: The service is neither on that deploy nor on what this run saw: somebody else is working on it.
    """

    asks: ClassVar = ("update_service",)

    service: ServiceOutcome
    _: KW_ONLY
    deploy_id: str | None = None
    timeout_s: float = unrecorded(600.0)
    after_failure: bool | None = unrecorded(None)

    @property
    def _asked_for(self) -> bool:
        """Whether somebody asked for it, so that nothing has been changed yet, and not because a deploy has failed."""
        if self.after_failure is not None:
            return not self.after_failure
        return self.deploy_id is not None or not self.service.changed

    def inputs(self, outside: Outside) -> dict[str, Any]:
        return {
            "environment": self.service.environment,
            "service": self.service.service,
            "deploy_id": self.deploy_id or self.service.previous_deploy_id,
        }

    def holds(self, outside: Outside) -> str:
        address = outside.services_of(self.service.environment).address()
        return outside.targets.service(address, self.service.environment_id, self.service.service)

    def asked(self, outside: Outside, found: WayBack) -> tuple[str, ...]:
        calls = ("stop_deployment",) if found.stops else self.asks
        stores = ("create_deploy",) if found.retired is not None else ()
        return outside.requests(self.service.environment, *stores, *calls)

    def look(self, outside: Outside, progress: ProgressSink) -> WayBack:
        services = outside.services_of(self.service.environment)
        if not self._asked_for:
            return self._after_failure(outside)
        wanted = self.deploy_id or self.service.previous_deploy_id or self._earlier(outside)
        service = services.read_service(self.service.service_id)
        require_movable(service)
        return _way_back(service, require_earlier(services, self.service.service, wanted))

    def _after_failure(self, outside: Outside) -> WayBack:
        """Find the way back after a failure. Nobody checks it, so it must be a deploy that the service ran: it was moved from
        there, or a saved run verified it.
        """
        service = self.service
        try:
            back = service.previous_deploy_id
            if back in (None, service.deploy_id) and not service.changed:
                back = self._earlier(outside)
                back = back if back in outside.connections.proven_deploys(service.service_id) else None
            services = outside.services_of(self.service.environment)
            current = services.read_service(service.service_id)
            deploy = _read(services, back) if back not in (None, service.deploy_id) else None
        except EcrWidgetsError as error:
            raise RollbackFailed(
                f"service {service.service!r} was not rolled back: what it ran before is not known: {error.message}",
                hint="by hand: `ecr-widgets rollback ENVIRONMENT SERVICE DEPLOY_ID`",
            ) from error
        if deploy is None:
            raise RollbackFailed(
                f"service {service.service_id} has no earlier deploy to go back to",
                hint="fix the image or the Dockerrun and deploy again, or scale the service to 0",
            )
        return _way_back(current, deploy)

    def _earlier(self, outside: Outside) -> str | None:
        service_id = self.service.service_id
        service = outside.services_of(self.service.environment).read_service(service_id)
        return earlier_deploy(
            outside.services_of(self.service.environment),
            service,
            lambda: outside.connections.proven_deploys(service_id),
        )

    def seen(self, found: WayBack) -> str:
        # The caller means to leave the deploy that it saw.
        return self.service.deploy_id

    def current(self, found: WayBack) -> str | None:
        return found.current

    def wanted(self, found: WayBack) -> str | None:
        return found.deploy_id

    def learned(self, found: WayBack) -> tuple[str, Mapping[str, Any]]:
        return self.step, {"deploy_id": found.deploy_id}

    def plan(self, outside: Outside, found: WayBack) -> RollbackOutcome:
        changed = found.deploy_id != self.service.deploy_id
        return self._outcome(found, 0.0, changed=changed)

    def act(self, outside: Outside, found: WayBack, progress: ProgressSink) -> RollbackOutcome:
        services, service_id = outside.services_of(self.service.environment), self.service.service_id
        wanted, deployment_id = found.deploy_id or "", ""
        try:
            if found.retired is not None:
                wanted = _stored_again(outside, services, found.retired)
            if found.stops:
                _stop(outside, services, service_id, found.stops, wanted)
            elif found.current != wanted:
                moved, _ = reconcile(
                    outside.clock,
                    lambda: services.update_service(service_id, wanted),
                    lambda: _moved_to(services, service_id, wanted),
                )
                deployment_id = moved.primary.deployment_id if moved.primary is not None else ""
            stable = wait_for_service(
                services,
                outside.clock,
                service_id,
                deploy_id=wanted,
                deployment_id=deployment_id,
                timeout_s=self.timeout_s,
                run_id=outside.run_id,
                progress=progress,
            )
        except TargetBusy:
            raise
        except EcrWidgetsError as error:
            raise RollbackFailed(
                f"service {service_id} could not be rolled back to deploy {wanted}: {error.message}",
                hint=f"by hand: `ecr-widgets service deploy ENVIRONMENT SERVICE {wanted}`, then look at its logs",
            ) from error
        back = replace(found, deploy_id=wanted)
        return self._outcome(back, stable.waited_s, changed=found.current != wanted)

    def reached(self, outcome: RollbackOutcome) -> str:
        return outcome.deploy_id

    def asked_afterwards(self, outcome: RollbackOutcome) -> CheckEvidence | None:
        # In an outage, a rollback must not wait for the policy, or be refused by it.
        if not outcome.environment:
            return None
        return CheckEvidence(outcome.environment, deploy_id=outcome.deploy_id, warns_only=True)

    def _outcome(self, found: WayBack, waited_s: float, *, changed: bool) -> RollbackOutcome:
        service = self.service
        return RollbackOutcome(
            service.service_id,
            service.service,
            found.deploy_id or "",
            found.current,
            waited_s,
            changed,
            service.environment,
            found.retired.deploy_id if found.retired is not None else "",
        )


def _read(services: Services, deploy_id: str | None) -> Deploy:
    try:
        return services.read_deploy(deploy_id or "")
    except EntityNotFound:
        return Deploy(deploy_id or "", "", 0)  # the target reports itself whether it still accepts it


def _way_back(service: Service, deploy: Deploy) -> WayBack:
    current, primary = _current(service), service.primary
    under_way = primary is not None and primary.state == "IN_PROGRESS" and current != deploy.deploy_id
    before = [each for each in service.deployments if each is not primary]
    still_runs = any(each.deploy_id == deploy.deploy_id and each.running_count for each in before)
    stops = primary.deployment_id if primary is not None and under_way and still_runs else ""
    retired = deploy if not deploy.is_active and not stops and current != deploy.deploy_id else None
    return WayBack(current, deploy.deploy_id, retired, stops)


def _stop(outside: Outside, services: Services, service_id: str, deployment_id: str, wanted: str) -> None:
    def stop() -> Service | None:
        services.stop_deployment(service_id, deployment_id)
        return None

    reconcile(outside.clock, stop, lambda: _moved_to(services, service_id, wanted))


def _stored_again(outside: Outside, services: Services, retired: Deploy) -> str:
    """The id under which the content of a deploy is stored again, or already was."""
    content = Dockerrun.stored(retired.dockerrun or b"{}", services.dialect())
    sha256 = content.content_sha256()
    equal = equal_deploy(services, retired.name, sha256)
    if equal is not None:
        return equal.deploy_id
    made: Deploy
    made, _ = reconcile(
        outside.clock,
        lambda: services.create_deploy(retired.name, content.to_bytes()),
        lambda: equal_deploy(services, retired.name, sha256),
    )
    return made.deploy_id


def _current(service: Service) -> str | None:
    return service.primary.deploy_id if service.primary is not None else None


def _moved_to(services: Services, service_id: str, deploy_id: str) -> Service | None:
    service = services.read_service(service_id)
    return service if _current(service) == deploy_id else None
