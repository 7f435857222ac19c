"""The kit's steps for services: deploy, wait, roll back, verify."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial

from ecr_widgets.errors import (
    DeploymentFailed,
    EcrWidgetsError,
    EntityNotFound,
    InputError,
    RollbackFailed,
    WaitTimeout,
)
from ecr_widgets.kit.bound import Bound, raising
from ecr_widgets.model.layer0 import Environment, Service
from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps import deploy_service as services
from ecr_widgets.steps.copy_image import CopyOutcome
from ecr_widgets.steps.create_deploy import DeployOutcome
from ecr_widgets.steps.push_image import PushOutcome
from ecr_widgets.steps.rollback import RollbackOutcome, earlier_deploy, require_earlier, rollback
from ecr_widgets.steps.service_balancer import balancer_for
from ecr_widgets.steps.verify import VerifyOutcome, verify_service
from ecr_widgets.steps.wait import WaitOutcome, wait_for_service


class ServiceSteps(Bound):
    """The part of the kit that moves services; each call leaves its record."""

    def deploy_service(
        self,
        environment: str,
        service: str,
        deploy: DeployOutcome | str,
        *,
        load_balancer: str | None = None,
    ) -> services.ServiceOutcome:
        """Create the service where it is missing, else move it to the deploy; the record's name says which.

        Args:
            load_balancer: Name of the one that the service is created behind; one that stands must be behind it already. None or empty
                for none.
        """
        deploy_id = deploy if isinstance(deploy, str) else deploy.deploy_id
        inputs = {"environment": environment, "service": service, "deploy_id": deploy_id}
        inputs |= {"load_balancer": load_balancer} if load_balancer else {}
        layer0 = self._to.layer0
        balancer_id = ""
        with ExitStack() as held:
            try:
                found, standing = services.find_service(layer0, environment, service)
                target = self._targets.service(found.environment_id, service)
                held.enter_context(self._targets.hold(target))
                # What was found before the target was held may have changed meanwhile.
                standing = layer0.find_service(found.environment_id, service)
                primary = standing.primary.deploy_id if standing and standing.primary else None
                self._targets.check(target, primary, wanted=deploy_id)
                if load_balancer:
                    balancer = balancer_for(layer0, found, load_balancer, deploy_id, standing)
                    balancer_id = balancer.load_balancer_id
            except EcrWidgetsError as error:
                return self._recorder.perform("update_service", inputs, partial(raising, error))
            if standing is None:
                outcome = self._recorder.perform(
                    "create_service",
                    inputs,
                    lambda _: services.create_service(
                        layer0, self._to.clock, found, service, deploy_id, load_balancer_id=balancer_id
                    ),
                )
            else:
                outcome = self._recorder.perform(
                    "update_service",
                    # For whoever goes on with this run: then it stands on the new one.
                    inputs | ({} if primary == deploy_id else {"previous_deploy_id": primary}),
                    lambda _: self._update(found, standing, deploy_id),
                )
            self._targets.note(target, deploy_id)
            return outcome

    def _update(self, environment: Environment, standing: Service, deploy_id: str) -> services.ServiceOutcome:
        outcome = services.update_service(self._to.layer0, self._to.clock, environment, standing, deploy_id)
        if outcome.changed:
            return outcome
        # It was moved there before: by an earlier attempt, which saw from where, or by another run.
        before = self._moved_from(outcome) or _still_running(standing)
        return outcome if before is None else replace(outcome, previous_deploy_id=before)

    def _moved_from(self, service: services.ServiceOutcome) -> str | None:
        """The deploy that an earlier attempt of this run moved the service from."""
        for record in self._recorder.earlier.of_step("update_service"):
            asked, left = record.inputs, record.inputs.get("previous_deploy_id")
            same = asked.get("service") == service.service and asked.get("environment") in (
                service.environment,
                service.environment_id,
            )
            if same and asked.get("deploy_id") == service.deploy_id and left not in (None, service.deploy_id):
                return str(left)
        return None

    @contextmanager
    def hold_service(self, environment: str, service: str) -> Iterator[None]:
        """Keep other runs of this host away from a service from one step to the next.

        A run holds what its `check_target` looked at until it ends; this is for those that call several steps elsewhere.

        Raises:
            TargetBusy: Another run holds it.
        """
        found, _ = services.find_service(self._to.layer0, environment, service)
        with self._targets.hold(self._targets.service(found.environment_id, service)):
            yield

    def find_service(self, environment: str, service: str) -> services.ServiceOutcome:
        """Look at a service: what it stands on, and the earlier deploy that a rollback would bring it to."""

        def act(_: object) -> services.ServiceOutcome:
            found, standing = services.find_service(self._to.layer0, environment, service)
            if standing is None or standing.primary is None:
                raise EntityNotFound(
                    f"service {service!r} is not in environment {environment!r}, or has never been deployed to",
                    status=404,
                    hint="check its name, or create it with the deploy runbook",
                )
            return services.ServiceOutcome(
                standing.service_id,
                standing.name,
                found.environment_id,
                found.name,
                standing.primary.deploy_id,
                earlier_deploy(
                    self._to.layer0, standing, lambda: self._to.proven_deploys(standing.service_id)
                ),
                changed=False,
            )

        return self._recorder.perform("find_service", {"environment": environment, "service": service}, act)

    def wait(
        self, service: services.ServiceOutcome, *, timeout_s: float = 600.0, on_failure: str = "stop"
    ) -> WaitOutcome:
        """Wait until the service runs its deploy and nothing else.

        Args:
            on_failure: `stop` leaves the service as it is; `rollback` brings it back to the deploy that it ran before,
                as a step of its own. The wait has failed in either case.

        Raises:
            TargetBusy: Somebody else has moved the service meanwhile: what they deployed is left alone.
        """
        if on_failure not in ("stop", "rollback"):
            raise InputError(f"on_failure is {on_failure!r}", hint="give stop or rollback")
        try:
            return self._recorder.perform(
                "wait",
                {
                    "environment": service.environment,
                    "service": service.service,
                    "deploy_id": service.deploy_id,
                    "timeout_s": timeout_s,
                },
                lambda progress: wait_for_service(
                    self._to.layer0,
                    self._to.clock,
                    service.service_id,
                    deploy_id=service.deploy_id,
                    timeout_s=timeout_s,
                    run_id=self.run_id,
                    progress=progress,
                ),
            )
        except (DeploymentFailed, WaitTimeout) as error:
            if on_failure == "stop":
                raise
            back = self._roll_back_failed(service, timeout_s=timeout_s)
            raise DeploymentFailed(
                f"{error.message}; the service was brought back to deploy {back.deploy_id}",
                hint="mend the image or the Dockerrun, then deploy again",
            ) from error

    def rollback(
        self, service: services.ServiceOutcome, *, deploy_id: str | None = None, timeout_s: float = 600.0
    ) -> RollbackOutcome:
        """Bring the service back to the deploy that it ran before, or to the one that is named.

        Raises:
            TargetBusy: The service stands on neither that deploy nor on what was seen of it: somebody else is at work.
        """
        # Asked for by somebody, and not the end of a deploy that failed: nothing has been changed yet.
        asked_for = deploy_id is not None or not service.changed
        if not asked_for:
            return self._roll_back_failed(service, timeout_s=timeout_s)
        wanted = deploy_id or service.previous_deploy_id or self._earlier_deploy(service)
        return self._bring_back(service, wanted, timeout_s=timeout_s, asked_for=True)

    def _roll_back_failed(self, service: services.ServiceOutcome, *, timeout_s: float) -> RollbackOutcome:
        """Bring a service back whose deploy has just failed."""
        try:
            wanted = self._way_back(service)
        except EcrWidgetsError as error:
            failed = RollbackFailed(
                f"service {service.service!r} was not brought back: what it ran before cannot be told: {error.message}",
                hint="by hand: `ecr-widgets rollback ENVIRONMENT SERVICE DEPLOY_ID`",
            )
            inputs = {"environment": service.environment, "service": service.service, "deploy_id": None}
            return self._recorder.perform("rollback", inputs, partial(raising, failed))
        return self._bring_back(service, wanted, timeout_s=timeout_s, asked_for=False)

    def _way_back(self, service: services.ServiceOutcome) -> str | None:
        """The deploy to go back to when this one has failed; None where none is known but itself.

        Nobody looks at it before it is done, so it is one that the service ran: it was moved from there, or a saved run
        verified it.
        """
        back = service.previous_deploy_id
        if back in (None, service.deploy_id) and not service.changed:
            back = self._earlier_deploy(service)
            back = back if back in self._to.proven_deploys(service.service_id) else None
        return None if back == service.deploy_id else back

    def _earlier_deploy(self, service: services.ServiceOutcome) -> str | None:
        standing = self._to.layer0.read_service(service.service_id)
        return earlier_deploy(self._to.layer0, standing, lambda: self._to.proven_deploys(service.service_id))

    def _bring_back(
        self, service: services.ServiceOutcome, wanted: str | None, *, timeout_s: float, asked_for: bool
    ) -> RollbackOutcome:
        target = self._targets.service(service.environment_id, service.service)

        def act(progress: ProgressSink) -> RollbackOutcome:
            if asked_for:
                require_earlier(self._to.layer0, service.service, wanted)
            # What the caller saw is what he means to leave.
            self._targets.note(target, service.deploy_id)
            with self._targets.hold(target):
                outcome = rollback(
                    self._to.layer0,
                    self._to.clock,
                    service.service_id,
                    deploy_id=wanted,
                    environment=service.environment,
                    timeout_s=timeout_s,
                    before_change=lambda standing: self._targets.check(target, standing, wanted=wanted),
                    run_id=self.run_id,
                    progress=progress,
                )
                self._targets.note(target, outcome.deploy_id)
            return outcome

        inputs = {"environment": service.environment, "service": service.service, "deploy_id": wanted}
        return self._recorder.perform("rollback", inputs, act)

    def verify(
        self,
        service: services.ServiceOutcome | RollbackOutcome,
        image: PushOutcome | CopyOutcome | None = None,
        *,
        container: str | None = None,
        profile: str = "",
        region: str = "",
    ) -> VerifyOutcome:
        """Check that the service runs the image, by digest, and nothing else.

        Args:
            image: What was pushed, copied or found; without one, whatever the service's deploy pins by digest, such as after
                a rollback.

            container: Container that runs it; None or empty for any.

            profile: AWS profile of the account whose registry has the image; empty for this run's own.

            region: AWS region of that registry; empty for the profile's own.
        """
        inputs = {
            "environment": service.environment,
            "service": service.service,
            "image": None if image is None else str(image.image),
            "container": container,
        }
        inputs |= {name: value for name, value in (("profile", profile), ("region", region)) if value}
        return self._recorder.perform(
            "verify",
            inputs,
            lambda _: verify_service(
                self._to.layer0,
                self._to.registry,
                self.ecr.session_of(profile, region),
                service.service_id,
                image=None if image is None else image.image,
                deploy_id=service.deploy_id if image is None else None,
                container=container or None,
            ),
        )


def _still_running(service: Service) -> str | None:
    """The deploy that a service runs beside the one it moves to: Layer0 stops it only when the new one runs."""
    old = [each for each in service.deployments if each is not service.primary and each.running_count]
    return max(old, key=lambda each: each.created_at).deploy_id if old else None
