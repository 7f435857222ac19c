"""Look at everything that a run will use, and hold what it will change."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, Self

from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.dockerrun.service_file import check_network
from ecr_widgets.model.build_context import find_context
from ecr_widgets.model.engine_facts import EngineFacts
from ecr_widgets.model.names import check_name, dialect_of
from ecr_widgets.model.services import Place
from ecr_widgets.ports import ProgressSink
from ecr_widgets.ports.services import Services
from ecr_widgets.steps.build_image import check_local_name
from ecr_widgets.steps.login import log_in
from ecr_widgets.steps.shared.current_document import ANY_IMAGE, current_document
from ecr_widgets.steps.shared.image_lookup import find_tagged
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.runbook_files import naming
from ecr_widgets.steps.shared.service_balancer import check_host_ports, require_balancer
from ecr_widgets.steps.shared.service_lookup import find_environment, require_movable
from ecr_widgets.steps.shared.service_wait import EarlierLook
from ecr_widgets.steps.step import Look, if_given


@dataclass(frozen=True, slots=True)
class TargetOutcome:
    """As whom this run works, with which systems, and what it will change."""

    account: str | None
    identity: str | None
    registry: str
    engine: EngineFacts
    engine_version: str
    layer0_version: str | None
    environment: str | None
    image_digest: str | None = None
    """What the tag names now."""
    service_deploy_id: str | None = None
    """What the service is on now."""
    warnings: tuple[str, ...] = ()
    """What the target drops or may not know in the Dockerrun, placeholders left in it, and why the identity is not known."""
    changed: bool = False


@dataclass(frozen=True)
class CheckTarget(Look[TargetOutcome]):
    """Look at everything that the run will use, before anything is changed, and hold what it will change.

    Args:
        environment: Environment that must exist; None if no deploy target is used.

        service: Service in it that the run will change; need not exist.

        repository: Repository that the run will push to; need not exist.

        tag: Tag in it that the run will set.

        context: Build context that the run will send, with `dockerfile` in it.

        local_name: Name that the built image will get.

        dockerrun: Dockerrun file that the run will store as the deploy named `deploy`, with the image of `container` set; empty
            for what `service` runs now.

        task: Name of the task that the run will start.

        load_balancer: Load balancer in front of the service, which must forward to a port of that Dockerrun.

        service_file: Service file that the run will use.

        allow_risks: Whether the Dockerrun file may give containers power over their machine.

    Raises:
        InputError: A name or a file that a later step would refuse, or no file is given and the service runs nothing yet.

        BuildRefused: No build context, or no Dockerfile in it.

        TargetBusy: Another run is working on the service or the tag.
    """

    _: KW_ONLY
    environment: str | None = None
    service: str | None = None
    repository: str | None = None
    tag: str | None = None
    context: str | Path | None = if_given(None)
    dockerfile: str = "Dockerfile"
    local_name: str | None = if_given(None)
    dockerrun: str | Path | None = if_given(None)
    container: str | None = if_given(None)
    deploy: str | None = if_given(None)
    task: str | None = if_given(None)
    load_balancer: str | None = if_given(None)
    service_file: str | Path | None = if_given(None)
    allow_risks: bool = if_given(default=False)

    def resolved(self, outside: Outside) -> Self:
        return self  # the registry is only asked when it is looked at

    def inputs(self, outside: Outside) -> dict[str, Any]:
        inputs = super().inputs(outside)
        del inputs["dockerfile"]
        return {name: None if value is None else str(value) for name, value in inputs.items()}

    def look(self, outside: Outside, progress: ProgressSink) -> TargetOutcome:
        dockerrun = self._check_files(outside)
        self._check_balancer(outside, dockerrun)
        facts = outside.engine.facts()
        version = environment = deploy_id = None
        if self.environment is not None:
            services = outside.services_of(self.environment)
            version = services.version() or None
            place = find_environment(services, self.environment)
            environment, deploy_id = place.name, self._hold_service(outside, services, place)
            if dockerrun is not None and deploy_id is None:
                # An existing service has its network already.
                check_network(dockerrun.document, outside.files.read_settings(self.service_file)[0])
        account = log_in(outside.ecr, outside.session)
        return TargetOutcome(
            account.account,
            account.identity,
            account.registry,
            facts,
            facts.version,
            version,
            environment,
            self._hold_image(outside),
            deploy_id,
            (*(dockerrun.warnings() if dockerrun is not None else ()), *account.warnings),
        )

    def _check_files(self, outside: Outside) -> Dockerrun | None:
        """Find now what a later step would refuse after earlier ones have already changed things."""
        dialect = dialect_of(self.environment or "")
        if self.local_name is not None:
            check_local_name(self.local_name)
        if self.context is not None:
            find_context(outside.files.find(self.context), self.dockerfile)
        if self.deploy or (self.deploy is not None and self.dockerrun):
            check_name(dialect, self.deploy, "deploy")
        if self.task is not None:
            check_name(dialect, self.task, "task")
        outside.files.read_settings(self.service_file)
        if self.dockerrun is None:
            return None
        if not self.dockerrun:
            environment = self.environment or ""
            current = current_document(outside.services_of(environment), environment, self.service or "")
            return Dockerrun.stored(current.content, dialect).with_image(ANY_IMAGE, container=self.container)
        with naming(self.dockerrun):
            template = Dockerrun.template(outside.files.read(self.dockerrun), dialect)
            if not self.allow_risks:
                template.refuse_risks()
            return template.with_image(ANY_IMAGE, container=self.container)

    def _check_balancer(self, outside: Outside, dockerrun: Dockerrun | None) -> None:
        if not self.load_balancer or self.environment is None or dockerrun is None:
            return
        layer0 = outside.layer0_of(self.environment, "load_balancer")
        place = find_environment(layer0, self.environment)
        check_host_ports(dockerrun, require_balancer(layer0, place, self.load_balancer))

    def _hold_service(self, outside: Outside, services: Services, place: Place) -> str | None:
        """What the service is on; it is held from here on."""
        if self.service is None:
            return None
        name = check_name(services.dialect(), self.service, "service")
        with outside.targets.hold(
            outside.targets.service(services.address(), place.environment_id, name)
        ) as held:
            service = services.find_service(place.environment_id, name)
            if service is not None:
                outside.looks[service.service_id] = EarlierLook(service, outside.clock.monotonic_s())
            require_movable(service)
            deploy_id = service.primary.deploy_id if service and service.primary else None
            held.note(deploy_id)
        return deploy_id

    def _hold_image(self, outside: Outside) -> str | None:
        """What the tag names; it is held from here on."""
        if self.repository is None or self.tag is None:
            return None
        image = outside.reference(outside.session.repository(self.repository), self.tag)
        with outside.targets.hold(outside.targets.image(image)) as held:
            digest = find_tagged(outside.registry, outside.session, image)
            held.note(digest)
        return digest
