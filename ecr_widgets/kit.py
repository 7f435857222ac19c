"""The kit: every step as one call that leaves its record. Runbooks, panels and command line all go through it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from ecr_widgets.errors import InputError
from ecr_widgets.model.dockerrun import Dockerrun
from ecr_widgets.model.image_reference import ImageReference, check_repository_name, check_tag
from ecr_widgets.ports import Clock, Ecr, Engine, Layer0, Registry
from ecr_widgets.recording.recorder import Recorder
from ecr_widgets.steps import deploy_service as services
from ecr_widgets.steps.build_image import BuildOutcome, build_image
from ecr_widgets.steps.create_deploy import DeployOutcome, create_deploy
from ecr_widgets.steps.create_repository import RepositoryOutcome, create_repository
from ecr_widgets.steps.create_task import EnvVars, TaskOutcome, create_task
from ecr_widgets.steps.login import LoginOutcome, RegistrySession, login
from ecr_widgets.steps.pull_image import PullOutcome, pull_image
from ecr_widgets.steps.push_image import PushOutcome, push_image
from ecr_widgets.steps.verify import VerifyOutcome, verify_service
from ecr_widgets.steps.wait import FIRST_PAUSE_S, SETTLE_S, WaitOutcome, wait_for_service


class Connections(Protocol):
    """The outside systems; each is connected when it is first asked for."""

    @property
    def clock(self) -> Clock:
        """Time."""
        ...

    @property
    def ecr(self) -> Ecr:
        """ECR's control plane."""
        ...

    @property
    def registry(self) -> Registry:
        """The registry's data plane."""
        ...

    @property
    def engine(self) -> Engine:
        """The Docker Engine."""
        ...

    @property
    def layer0(self) -> Layer0:
        """Layer0's API."""
        ...

    def on_secret(self, secret: str) -> None:
        """Learn a secret, so that it is kept out of every record."""
        ...


@dataclass(frozen=True, slots=True)
class TargetOutcome:
    """Whom and what this run will change."""

    account: str
    identity: str
    registry: str
    engine_version: str
    layer0_version: str | None
    environment: str | None
    changed: bool = False


class Kit:
    """The steps, bound to what they talk to and to the record of this run.

    Get one from `ecr_widgets.connect()`.
    """

    def __init__(self, connections: Connections, recorder: Recorder, *, files: tuple[Path, ...]) -> None:
        """Join connections and recorder.

        Args:
            files: Folders in which a relative path is looked for, in this order.
        """
        self._to = connections
        self._recorder = recorder
        self._files = files

    @property
    def run_id(self) -> str:
        """Id of the run that the records belong to."""
        return self._recorder.run_id

    @property
    def recorder(self) -> Recorder:
        """The records so far."""
        return self._recorder

    @cached_property
    def _session(self) -> RegistrySession:
        return RegistrySession(self._to.ecr, self._to.clock, on_secret=self._to.on_secret)

    def check_target(self, *, environment: str | None = None) -> TargetOutcome:
        """Look at everything that the run will use, before anything is changed.

        Args:
            environment: Layer0 environment that must exist; None where Layer0 is not used.
        """

        def act(_: object) -> TargetOutcome:
            engine_version = self._to.engine.version()
            layer0_version = name = None
            if environment is not None:
                layer0_version = self._to.layer0.version()
                name = services.find_environment(self._to.layer0, environment).name
            found = login(self._to.ecr, self._session)
            return TargetOutcome(
                found.account, found.identity, found.registry, engine_version, layer0_version, name
            )

        return self._recorder.perform("check_target", {"environment": environment}, act)

    def login(self) -> LoginOutcome:
        """Log in to the account's registry."""
        return self._recorder.perform("login", {}, lambda _: login(self._to.ecr, self._session))

    def create_repository(
        self, repository: str, *, create: bool = True, tags_immutable: bool = False, scan_on_push: bool = True
    ) -> RepositoryOutcome:
        """Create the repository where it is missing."""
        return self._recorder.perform(
            "create_repository",
            {
                "repository": repository,
                "create": create,
                "tags_immutable": tags_immutable,
                "scan_on_push": scan_on_push,
            },
            lambda _: create_repository(
                self._to.ecr,
                repository,
                create=create,
                tags_immutable=tags_immutable,
                scan_on_push=scan_on_push,
            ),
        )

    def build_image(
        self,
        context: str | Path,
        *,
        name: str,
        dockerfile: str = "Dockerfile",
        build_args: Mapping[str, str] | None = None,
    ) -> BuildOutcome:
        """Build an image from a folder with a Dockerfile."""
        return self._recorder.perform(
            "build_image",
            {
                "context": str(context),
                "dockerfile": dockerfile,
                "name": name,
                "build_args": sorted(build_args or {}),
            },
            lambda progress: build_image(
                self._to.engine,
                self._find(context),
                name=name,
                dockerfile=dockerfile,
                build_args=build_args,
                progress=progress,
            ),
        )

    def push_image(self, image: BuildOutcome | str, *, repository: str, tag: str) -> PushOutcome:
        """Push a local image to a repository of the account's registry, under a tag."""
        source = image.image_id if isinstance(image, BuildOutcome) else image
        shown = image.image if isinstance(image, BuildOutcome) else image
        return self._recorder.perform(
            "push_image",
            {"source": shown, "repository": repository, "tag": tag},
            lambda progress: push_image(
                self._to.engine,
                self._to.registry,
                self._session,
                source,
                self.image_reference(repository, tag=tag),
                progress=progress,
            ),
        )

    def pull_image(self, repository: str, reference: str) -> PullOutcome:
        """Pull an image by tag or digest from the account's registry."""
        return self._recorder.perform(
            "pull_image",
            {"repository": repository, "reference": reference},
            lambda progress: pull_image(
                self._to.engine,
                self._session,
                self.image_reference(repository, tag=reference),
                progress=progress,
            ),
        )

    def create_deploy(
        self, name: str, dockerrun: str | Path, *, image: ImageReference | str, container: str | None = None
    ) -> DeployOutcome:
        """Store a Dockerrun file, with the image set, as a Layer0 deploy."""
        return self._recorder.perform(
            "create_deploy",
            {"name": name, "dockerrun": str(dockerrun), "image": str(image), "container": container},
            lambda _: create_deploy(
                self._to.layer0,
                name,
                Dockerrun.parse(self._read(dockerrun)),
                image=ImageReference.parse(str(image)),
                container=container,
            ),
        )

    def deploy_service(
        self, environment: str, service: str, deploy: DeployOutcome | str
    ) -> services.ServiceOutcome:
        """Create the service where it is missing, else move it to the deploy; the record's name says which."""
        deploy_id = deploy if isinstance(deploy, str) else deploy.deploy_id
        layer0 = self._to.layer0
        found, standing = services.find_service(layer0, environment, service)
        inputs = {"environment": environment, "service": service, "deploy_id": deploy_id}
        if standing is None:
            return self._recorder.perform(
                "create_service", inputs, lambda _: services.create_service(layer0, found, service, deploy_id)
            )
        return self._recorder.perform(
            "update_service", inputs, lambda _: services.update_service(layer0, found, standing, deploy_id)
        )

    def wait(self, service: services.ServiceOutcome, *, timeout_s: float = 600.0) -> WaitOutcome:
        """Wait until the service runs its deploy and nothing else."""
        return self._recorder.perform(
            "wait",
            {"service": service.service, "deploy_id": service.deploy_id, "timeout_s": timeout_s},
            lambda progress: wait_for_service(
                self._to.layer0,
                self._to.clock,
                service.service_id,
                deploy_id=service.deploy_id,
                timeout_s=timeout_s,
                # What stood before this run has settled.
                settle_s=SETTLE_S if service.changed else FIRST_PAUSE_S,
                progress=progress,
            ),
        )

    def create_task(
        self,
        environment: str,
        task: str,
        deploy: DeployOutcome | str,
        *,
        env_vars: EnvVars | None = None,
        wait: bool = True,
        timeout_s: float = 3600.0,
    ) -> TaskOutcome:
        """Run the deploy once; the containers' exit codes decide."""
        deploy_id = deploy if isinstance(deploy, str) else deploy.deploy_id
        names = {container: sorted(values) for container, values in (env_vars or {}).items()}
        return self._recorder.perform(
            "create_task",
            # Values of environment variables may be secrets; their names tell enough.
            {
                "environment": environment,
                "task": task,
                "deploy_id": deploy_id,
                "env_vars": names,
                "wait": wait,
            },
            lambda progress: create_task(
                self._to.layer0,
                self._to.clock,
                environment,
                task,
                deploy_id,
                env_vars=env_vars,
                wait=wait,
                timeout_s=timeout_s,
                progress=progress,
            ),
        )

    def verify(
        self, service: services.ServiceOutcome, image: PushOutcome, *, container: str | None = None
    ) -> VerifyOutcome:
        """Check that the service runs the pushed image, by digest, and nothing else."""
        return self._recorder.perform(
            "verify",
            {"service": service.service, "image": str(image.image), "container": container},
            lambda _: verify_service(
                self._to.layer0,
                self._to.registry,
                self._session,
                service.service_id,
                image=image.image,
                container=container,
            ),
        )

    def image_reference(self, repository: str, *, tag: str) -> ImageReference:
        """A repository of the account's registry with a tag (or digest) as a full reference."""
        check_repository_name(repository)
        if tag.startswith("sha256:"):
            return ImageReference.parse(f"{self._session.token().registry}/{repository}@{tag}")
        return ImageReference(self._session.token().registry, repository, tag=check_tag(tag))

    def _find(self, path: str | Path) -> Path:
        path = Path(path)
        return next((at / path for at in self._files if (at / path).exists()), path)

    def _read(self, path: str | Path) -> bytes:
        try:
            return self._find(path).read_bytes()
        except OSError as error:
            raise InputError(f"cannot read {str(path)!r}: {error.strerror}", hint="check the path") from error
