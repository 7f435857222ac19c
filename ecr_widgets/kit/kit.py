"""The kit: every step as one call that leaves its record. Runbooks, panels and command line all go through it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from ecr_widgets.approved_files import ANY_FILES, ApprovedFiles
from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.errors import InputError, InvalidDockerrun
from ecr_widgets.kit.check_target import RunFiles, TargetOutcome, check_files, check_target
from ecr_widgets.kit.connections import Connections
from ecr_widgets.kit.layer0 import Layer0Steps
from ecr_widgets.kit.looks import Looks
from ecr_widgets.kit.services import ServiceSteps
from ecr_widgets.kit.tasks import TaskSteps
from ecr_widgets.model.build_options import BuildOptions, BuildWishes
from ecr_widgets.model.encryption import Encryption
from ecr_widgets.model.image_reference import ImageReference, check_repository_name, check_tag
from ecr_widgets.model.tag_rule import read_exceptions
from ecr_widgets.ports import ProgressSink
from ecr_widgets.recording.recorder import Recorder
from ecr_widgets.steps.build_image import BuildOutcome, build_image
from ecr_widgets.steps.create_deploy import DeployOutcome, create_deploy
from ecr_widgets.steps.create_repository import RepositoryOutcome, create_repository
from ecr_widgets.steps.find_image import find_image
from ecr_widgets.steps.login import LoginOutcome, login
from ecr_widgets.steps.pull_image import PullOutcome, pull_image
from ecr_widgets.steps.push_image import PushOutcome, push_image

if TYPE_CHECKING:
    from datetime import datetime

    from ecr_widgets.recording.notebook import Places

SHIPPED_EXAMPLE = "the example that ecr-widgets ships"


class Kit(ServiceSteps, TaskSteps):
    """The steps, bound to what they talk to and to the record of this run.

    Get one from `ecr_widgets.connect()`.
    """

    def __init__(
        self,
        connections: Connections,
        recorder: Recorder,
        *,
        files: tuple[Path, ...],
        examples: Path | None = None,
        approved: ApprovedFiles = ANY_FILES,
    ) -> None:
        """Join connections and recorder.

        Args:
            files: Folders in which a relative path is looked for, in this order.

            examples: Folder of the shipped examples; records say when a file is one of them.

            approved: What the files that the steps use must hold.
        """
        super().__init__(connections, recorder)
        self._files = files
        self._examples = examples
        self._approved = approved

    @cached_property
    def layer0(self) -> Layer0Steps:
        """The steps for environments, load balancers, links, scale and deletions."""
        return Layer0Steps(self._to, self._recorder, self._targets)

    def check_target(
        self,
        *,
        environment: str | None = None,
        service: str | None = None,
        repository: str | None = None,
        tag: str | None = None,
        context: str | Path | None = None,
        dockerfile: str = "Dockerfile",
        local_name: str | None = None,
        dockerrun: str | Path | None = None,
        container: str | None = None,
        deploy: str | None = None,
    ) -> TargetOutcome:
        """Look at everything that the run will use, before anything is changed, and hold what it will change.

        Args:
            environment: Layer0 environment that must exist; None where Layer0 is not used.

            service: Service in it that the run will change; need not exist.

            repository: Repository that the run will push to; need not exist.

            tag: Tag in it that the run will set.

            context: Build context that the run will send, with `dockerfile` in it.

            local_name: Name that the built image will get.

            dockerrun: Dockerrun file of which the run will make the deploy named `deploy`, with the image of `container` set.

        Raises:
            InputError: A name or a file that a later step would refuse.

            BuildError: No build context, or no Dockerfile in it.

            TargetBusy: Another run of this host is at work on the service or the tag.
        """

        def act(_: object) -> TargetOutcome:
            files = RunFiles(
                None if context is None else self._find(context),
                dockerfile,
                local_name,
                None if dockerrun is None else self._read(dockerrun),
                container,
                deploy,
            )
            with _naming(dockerrun or ""):
                warnings = check_files(files)
            target = check_target(
                self._to,
                self._targets,
                self._session,
                environment=environment,
                service=service,
                image=lambda: (
                    None if repository is None or tag is None else self.image_reference(repository, tag=tag)
                ),
            )
            return replace(target, warnings=(*warnings, *target.warnings))

        inputs = {"environment": environment, "service": service, "repository": repository, "tag": tag}
        looked_at = {"context": context, "local_name": local_name, "dockerrun": dockerrun}
        looked_at |= {"container": container, "deploy": deploy}
        inputs |= {name: str(value) for name, value in looked_at.items() if value is not None}
        return self._recorder.perform("check_target", inputs, act)

    @cached_property
    def look(self) -> Looks:
        """Looks that leave no record."""
        return Looks(self._to, self._session, self._read)

    def register_secret(self, secret: str) -> None:
        """Keep a secret of yours, such as a database's password, out of all records and everything that this run saves.

        What was saved before with it in it is saved anew without. AWS's and Layer0's own secrets are known already.

        Raises:
            InputError: It has fewer than 8 characters, too few to be taken out of texts without harm.
        """
        self._to.register_secret(secret)

    def now(self) -> datetime:
        """Aware UTC time."""
        return self._to.clock.now()

    def acting_in(self, places: Places) -> Kit:
        """The same kit for one action: its records show in displays that stand already.

        It logs in no second time, and remembers nothing of what earlier actions saw: people act on what they see now.
        """
        other = type(self)(
            self._to,
            self._recorder.through(places),
            files=self._files,
            examples=self._examples,
            approved=self._approved,
        )
        other._session = self._session
        return other

    def login(self) -> LoginOutcome:
        """Log in to the account's registry."""
        return self._recorder.perform("login", {}, lambda _: login(self._to.ecr, self._session))

    def create_repository(
        self,
        repository: str,
        *,
        create: bool = True,
        tags_immutable: bool = False,
        scan_on_push: bool = True,
        encryption: str = "",
        kms_key: str = "",
        tag_exceptions: str | Sequence[str] = "",
        profile: str = "",
        region: str = "",
    ) -> RepositoryOutcome:
        """Create the repository where it is missing.

        Args:
            repository: Its name, or with the registry's host in front, which must be the one that is used.

            encryption: `AES256` or `KMS`, for good; empty where any will do: a new one gets AES256.

            kms_key: With `KMS`: ARN, id or alias of the key; empty for AWS's own for ECR.

            tag_exceptions: For a new one: patterns of the tags for which the opposite of `tags_immutable` holds, such as
                `dev-* test-*`; empty for none.

            profile: AWS profile of the account to have it in; empty for this run's own.

            region: AWS region to have it in; empty for the profile's own.

        Raises:
            InputError: An encryption or a key that ECR would refuse.

            VerifyError: It stands with another encryption, which cannot be changed.
        """
        asked = {"encryption": encryption, "kms_key": kms_key, "profile": profile, "region": region}
        repository = self.ecr.session_of(profile, region).repository(repository)
        exceptions = read_exceptions(tag_exceptions)
        return self._recorder.perform(
            "create_repository",
            {
                "repository": repository,
                "create": create,
                "tags_immutable": tags_immutable,
                "scan_on_push": scan_on_push,
                **{name: value for name, value in asked.items() if value},
                **({"tag_exceptions": exceptions} if exceptions else {}),
            },
            lambda _: create_repository(
                self.ecr.ecr_of(profile, region),
                repository,
                tag_exceptions=exceptions,
                create=create,
                tags_immutable=tags_immutable,
                scan_on_push=scan_on_push,
                encryption=Encryption.parse(encryption, kms_key),
            ),
        )

    def build_image(
        self,
        context: str | Path,
        *,
        name: str,
        dockerfile: str = "Dockerfile",
        **wishes: Unpack[BuildWishes],
    ) -> BuildOutcome:
        """Build an image from a folder with a Dockerfile.

        Args:
            dockerfile: Path relative to the context, or an absolute one.

            wishes: See `ecr_widgets.model.build_options.BuildWishes`.
        """
        options = self._build_options(dockerfile, wishes)

        def act(progress: ProgressSink) -> BuildOutcome:
            with self._approved.context(str(context), dockerfile, self._find(context)) as (folder, file):
                return build_image(
                    self._to.engine,
                    self._session,
                    folder,
                    name=name,
                    options=replace(options, dockerfile=file),
                    register_secret=self._to.register_secret,
                    progress=progress,
                )

        return self._recorder.perform(
            "build_image",
            {
                "context": str(context),
                **self._whereabouts(context),
                "dockerfile": dockerfile,
                "name": name,
                "build_args": sorted(options.build_args),
                **options.given(),
            },
            act,
        )

    def _build_options(self, dockerfile: str, wishes: BuildWishes) -> BuildOptions:
        options = BuildOptions.read(dockerfile, **wishes)
        if not (options.cache_from or options.cache_to):
            return options
        host = self._session.token().registry

        def of_account(images: tuple[ImageReference, ...]) -> tuple[ImageReference, ...]:
            return tuple(each if each.registry else replace(each, registry=host) for each in images)

        return replace(
            options, cache_from=of_account(options.cache_from), cache_to=of_account(options.cache_to)
        )

    def push_image(self, image: BuildOutcome | str, *, repository: str, tag: str) -> PushOutcome:
        """Push a local image to a repository of the account's registry, under a tag."""
        repository = self._session.repository(repository)
        source = image.image_id if isinstance(image, BuildOutcome) else image
        shown = image.image if isinstance(image, BuildOutcome) else image

        def act(progress: ProgressSink) -> PushOutcome:
            reference = self.image_reference(repository, tag=tag)
            target = self._targets.image(reference)
            with self._targets.hold(target):
                pushed = push_image(
                    self._to.engine,
                    self._to.registry,
                    self._session,
                    source,
                    reference,
                    before_change=lambda standing: self._targets.check(target, standing),
                    progress=progress,
                )
                self._targets.note(target, pushed.digest)
            return pushed

        return self._recorder.perform(
            "push_image", {"source": shown, "repository": repository, "tag": tag}, act
        )

    def find_image(self, repository: str, reference: str) -> PushOutcome:
        """Pin an image that the account's registry has already, by tag or digest."""
        repository = self._session.repository(repository)
        return self._recorder.perform(
            "find_image",
            {"repository": repository, "reference": reference},
            lambda _: find_image(
                self._to.registry, self._session, self.image_reference(repository, tag=reference)
            ),
        )

    def pull_image(self, repository: str, reference: str) -> PullOutcome:
        """Pull an image by tag or digest from the account's registry."""
        repository = self._session.repository(repository)
        return self._recorder.perform(
            "pull_image",
            {"repository": repository, "reference": reference},
            lambda progress: pull_image(
                self._to.engine,
                self._to.registry,
                self._session,
                self.image_reference(repository, tag=reference),
                progress=progress,
            ),
        )

    def create_deploy(
        self,
        name: str,
        dockerrun: str | Path,
        *,
        image: ImageReference | str,
        container: str | None = None,
        variables: Mapping[str, object] | None = None,
    ) -> DeployOutcome:
        """Store a Dockerrun file, with image and environment variables of a container set, as a Layer0 deploy."""
        return self._recorder.perform(
            "create_deploy",
            {
                "name": name,
                "dockerrun": str(dockerrun),
                **self._whereabouts(dockerrun),
                "image": str(image),
                "container": container,
                # Their values may be secrets.
                "variables": sorted(variables or {}),
            },
            lambda _: create_deploy(
                self._to.layer0,
                self._to.clock,
                name,
                self._dockerrun(dockerrun, self._read_approved(dockerrun), container, variables),
                image=ImageReference.parse(str(image)),
                container=container,
            ),
        )

    def name_of(self, image: ImageReference) -> str:
        """The repository of a reference that a person gave, which must be of the registry that is used or name none.

        Raises:
            InvalidReference: It is another registry's.
        """
        return self.ecr.name_of(image)

    def image_reference(self, repository: str, *, tag: str) -> ImageReference:
        """A repository of the account's registry with a tag (or digest) as a full reference."""
        repository = check_repository_name(self._session.repository(repository))
        if tag.startswith("sha256:"):
            return ImageReference.parse(f"{self._session.token().registry}/{repository}@{tag}")
        return ImageReference(self._session.token().registry, repository, tag=check_tag(tag))

    def _dockerrun(
        self,
        path: str | Path,
        content: bytes,
        container: str | None,
        variables: Mapping[str, object] | None,
    ) -> Dockerrun:
        with _naming(path):
            read = Dockerrun.template(content)
        if not variables:
            return read
        values = {name: str(value) for name, value in variables.items()}
        return read.with_environment(container or read.containers[0].name, values)

    def _find(self, path: str | Path) -> Path:
        path = Path(path)
        return next(((at / path).absolute() for at in self._files if (at / path).exists()), path)

    def _whereabouts(self, path: str | Path) -> dict[str, str]:
        """What a record tells of where a relative path was found: of several files of that name, one is used."""
        found = self._find(path)
        if Path(path).is_absolute() or not found.exists():
            return {}
        found = found.absolute()
        shipped = self._examples is not None and found.is_relative_to(self._examples)
        return {"found": SHIPPED_EXAMPLE if shipped else str(found)}

    def _read_approved(self, dockerrun: str | Path) -> bytes:
        content = self._read(dockerrun)
        self._approved.check_dockerrun(str(dockerrun), content)
        return content

    def _read(self, path: str | Path) -> bytes:
        try:
            return self._find(path).read_bytes()
        except OSError as error:
            raise InputError(f"cannot read {str(path)!r}: {error.strerror}", hint="check the path") from error


@contextmanager
def _naming(path: str | Path) -> Iterator[None]:
    """Say of a refused Dockerrun which file it is."""
    try:
        yield
    except InvalidDockerrun as error:
        raise error.in_file(str(path)) from error
