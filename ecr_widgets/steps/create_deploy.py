"""Store a Dockerrun or task definition as a deploy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from ecr_widgets.approved_files import file_sha256
from ecr_widgets.dockerrun.diff import ChangeKind, diff
from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.dockerrun.kept_settings import kept_settings
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.names import check_name
from ecr_widgets.model.services import Deploy, Dialect
from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.check_evidence import CheckEvidence
from ecr_widgets.steps.shared.current_document import ANY_IMAGE, current_document
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.reconcile import reconcile
from ecr_widgets.steps.shared.runbook_files import naming
from ecr_widgets.steps.shared.stored_deploys import equal_deploy, read_stored, stored_documents
from ecr_widgets.steps.step import NOT_YET, Step


@dataclass(frozen=True, slots=True)
class DeployOutcome:
    """The deploy that holds the wanted Dockerrun."""

    deploy_id: str
    name: str
    version: int
    image: ImageReference
    dockerrun_sha256: str
    changed: bool
    reconciled: bool = False
    """Whether the reply was lost and the deploy found by its content."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Settings of the Dockerrun by their places, without what may be a secret; see `kept_settings`."""
    warnings: tuple[str, ...] = ()
    """What the target drops or may not know in the Dockerrun or did not store, and placeholders left in it."""


@dataclass(frozen=True, slots=True)
class WantedDockerrun:
    """The Dockerrun with its image set, and what is stored."""

    name: str
    dockerrun: Dockerrun
    file_sha256: str
    """SHA-256 of the file that it is read from; if no file is given, of what the service runs, without the image."""
    equal: Deploy | None
    """The newest stored deploy with the same content."""
    newest: Dockerrun | None
    """The newest stored one of the name; if no file is given, what the service runs."""


@dataclass(frozen=True)
class CreateDeploy(Step[WantedDockerrun, DeployOutcome]):
    """Store a Dockerrun, with a container's image and environment variables set, as a deploy.

    If one of the newest deploys of that name is equal, it is reused.

    Args:
        name: May be empty if no file is given: then it is the name of the deploy that the service runs.

        dockerrun: A file; empty for what `service` runs now.

        environment: Where it will run, which decides whether Layer0 or ECS stores it; empty for Layer0.

        service: Service in that environment; used if no file is given.

        image: Reference by digest, so that a restart runs the same image.

        container: The one whose image is set; may be left out if the Dockerrun has one container.

        variables: Environment variables of that container.

        allow_risks: Whether the file may give containers power over their machine, such as by privileged mode, the machine's
            network, or a mounted engine socket. What the service runs already is not asked about.

    Raises:
        InputError: The target would refuse the name, the file cannot be read, or the service runs nothing yet.

        InvalidDockerrun: No such container, or a risk that is not allowed.

        OutcomeUnknown: The reply was lost, and no deploy with that content showed up.
    """

    asks: ClassVar = ("create_deploy",)

    name: str
    dockerrun: str | Path
    _: KW_ONLY
    image: ImageReference | str
    container: str | None = None
    variables: Mapping[str, object] | None = None
    environment: str = ""
    service: str = ""
    allow_risks: bool = False

    def inputs(self, outside: Outside) -> dict[str, Any]:
        return {
            "name": self.name,
            "dockerrun": str(self.dockerrun),
            **(outside.files.whereabouts(self.dockerrun) if self.dockerrun else {"service": self.service}),
            "image": str(self.image),
            "container": self.container,
            # The values may be secrets.
            "variables": sorted(self.variables or {}),
            **({"environment": self.environment} if self.environment else {}),
            **({"allow_risks": True} if self.allow_risks else {}),
        }

    def gated(self, outside: Outside) -> CheckEvidence | None:
        # It does not run anything yet, but a refusal should come now, and not when the release is half done.
        return CheckEvidence(self.environment, image=self.image) if self.environment else None

    def asked(self, outside: Outside, found: WantedDockerrun) -> tuple[str, ...]:
        return outside.requests(self.environment, *self.asks)

    def look(self, outside: Outside, progress: ProgressSink) -> WantedDockerrun:
        services, name, newest = outside.services_of(self.environment), self.name, None
        if name or self.dockerrun:
            check_name(services.dialect(), name, "deploy")
        if self.dockerrun:
            content = outside.files.read(self.dockerrun)
            # Before it is read as a Dockerrun: a swapped file may hold anything.
            outside.files.approved.check_dockerrun(str(self.dockerrun), content)
            read = read_dockerrun(
                self.dockerrun,
                content,
                self.container,
                self.variables,
                services.dialect(),
                allow_risks=self.allow_risks,
            )
        else:
            current = current_document(services, self.environment, self.service)
            name = name or current.name
            newest = Dockerrun.stored(current.content, services.dialect())
            read = _with_variables(newest, self.container, self.variables)
            # A resumed run may have moved the service already, so the approval covers everything but the image.
            content = read.with_image(ANY_IMAGE, container=self.container).content_sha256().encode()
            outside.files.approved.check_dockerrun(str(self.dockerrun), content)
        wanted = read.with_image(ImageReference.parse(str(self.image)), container=self.container)
        wanted_sha256 = wanted.content_sha256()
        for stored, held in stored_documents(services, name):
            newest = newest or held
            if held.content_sha256() == wanted_sha256:
                return WantedDockerrun(name, wanted, file_sha256(content), stored, newest)
        return WantedDockerrun(name, wanted, file_sha256(content), None, newest)

    def plan(self, outside: Outside, found: WantedDockerrun) -> DeployOutcome:
        image = ImageReference.parse(str(self.image))
        # A tag may name another image by then.
        equal = found.equal if image.digest else None
        return DeployOutcome(
            equal.deploy_id if equal else NOT_YET,
            found.name,
            equal.version if equal else 0,
            image,
            found.dockerrun.content_sha256(),
            changed=equal is None,
            warnings=found.dockerrun.warnings(),
        )

    def plan_record(self, outside: Outside, found: WantedDockerrun, planned: DeployOutcome) -> dict[str, Any]:
        record: dict[str, Any] = {
            "deploy_id": planned.deploy_id,
            "content_sha256": planned.dockerrun_sha256,
            # The approval covers this file, too: image and variables are not all known before the run.
            "file_sha256": found.file_sha256,
            "changed": planned.changed,
        }
        if planned.changed:
            newest = found.newest
            difference = map(str, diff(newest, found.dockerrun)) if newest else ("the first of its name",)
            record["difference"] = list(difference)
        return record | ({"warnings": planned.warnings} if planned.warnings else {})

    def act(self, outside: Outside, found: WantedDockerrun, progress: ProgressSink) -> DeployOutcome:
        wanted, services = found.dockerrun, outside.services_of(self.environment)
        content = wanted.content_sha256()
        if found.equal is not None:
            deploy, reconciled, stored = found.equal, False, wanted
        else:
            deploy, reconciled = reconcile(
                outside.clock,
                lambda: services.create_deploy(found.name, wanted.to_bytes()),
                lambda: equal_deploy(services, found.name, content),
            )
            # An older Layer0 knows fewer members, and only stores those.
            stored = read_stored(services, deploy.deploy_id) or wanted
        missing = [change.pointer for change in diff(wanted, stored) if change.kind is not ChangeKind.ADDED]
        return DeployOutcome(
            deploy.deploy_id,
            found.name,
            deploy.version,
            ImageReference.parse(str(self.image)),
            content,
            changed=found.equal is None,
            reconciled=reconciled,
            settings=kept_settings(stored),
            warnings=(
                *wanted.warnings(),
                *(f"{services.dialect()} did not store {pointer} as it is" for pointer in missing),
            ),
        )


def image_planned(deploy: DeployOutcome | str) -> ImageReference | str:
    """In a plan: the image of a deploy that is not stored yet; empty for all others, whose images the target reports."""
    return "" if isinstance(deploy, str) or deploy.deploy_id != NOT_YET else deploy.image


def read_dockerrun(
    path: str | Path,
    content: bytes,
    container: str | None,
    variables: Mapping[str, object] | None,
    dialect: Dialect,
    *,
    allow_risks: bool = False,
) -> Dockerrun:
    """A Dockerrun file whose image is yet to be set, with a container's environment variables set.

    Raises:
        InvalidDockerrun: It is not a Dockerrun, has no such container, or gives one power over its machine, which is not
            allowed; the message names the file.
    """
    with naming(path):
        read = Dockerrun.template(content, dialect)
        if not allow_risks:
            read.refuse_risks()
    return _with_variables(read, container, variables)


def _with_variables(
    read: Dockerrun, container: str | None, variables: Mapping[str, object] | None
) -> Dockerrun:
    if not variables:
        return read
    values = {name: str(value) for name, value in variables.items()}
    return read.with_environment(container or read.containers[0].name, values)
