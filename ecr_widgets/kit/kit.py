"""The kit: every step as one call that leaves its record. Runbooks, panels and command line all go through it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ecr_widgets.errors import (
    DeploymentFailed,
    EcrWidgetsError,
    EntityNotFound,
    InputError,
    InvalidDockerrun,
    RollbackFailed,
    WaitTimeout,
)
from ecr_widgets.kit.check_target import RunFiles, TargetOutcome, check_files, check_target
from ecr_widgets.kit.connections import Connections
from ecr_widgets.kit.ecr import EcrSteps
from ecr_widgets.kit.layer0 import Layer0Steps
from ecr_widgets.kit.looks import Looks
from ecr_widgets.model.dockerrun import Dockerrun
from ecr_widgets.model.image_reference import ImageReference, check_repository_name, check_tag
from ecr_widgets.model.layer0 import Environment, Service
from ecr_widgets.model.record import StepRecord, StepState
from ecr_widgets.ports import ProgressSink
from ecr_widgets.recording.earlier import KNOWN_JOBS, EarlierCall
from ecr_widgets.recording.recorder import Recorder
from ecr_widgets.steps import deploy_service as services
from ecr_widgets.steps.build_image import BuildOutcome, build_image
from ecr_widgets.steps.copy_image import CopyOutcome
from ecr_widgets.steps.create_deploy import DeployOutcome, create_deploy
from ecr_widgets.steps.create_repository import RepositoryOutcome, create_repository
from ecr_widgets.steps.create_task import EarlierTask, EnvVars, TaskOutcome, create_task, jobs_alike
from ecr_widgets.steps.find_image import find_image
from ecr_widgets.steps.login import LoginOutcome, RegistrySession, login
from ecr_widgets.steps.pull_image import PullOutcome, pull_image
from ecr_widgets.steps.push_image import PushOutcome, push_image
from ecr_widgets.steps.rollback import RollbackOutcome, earlier_deploy, require_earlier, rollback
from ecr_widgets.steps.service_balancer import balancer_for
from ecr_widgets.steps.verify import VerifyOutcome, verify_service
from ecr_widgets.steps.wait import WaitOutcome, wait_for_service
from ecr_widgets.targets import Targets

if TYPE_CHECKING:
    from datetime import datetime

    from ecr_widgets.recording.notebook import Places

SHIPPED_EXAMPLE = "the example that ecr-widgets ships"


class Kit:
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
    ) -> None:
        """Join connections and recorder.

        Args:
            files: Folders in which a relative path is looked for, in this order.

            examples: Folder of the shipped examples; records say when a file is one of them.
        """
        self._to = connections
        self._recorder = recorder
        self._files = files
        self._examples = examples

    @property
    def run_id(self) -> str:
        """Id of the run that the records belong to."""
        return self._recorder.run_id

    @property
    def recorder(self) -> Recorder:
        """The records so far."""
        return self._recorder

    @cached_property
    def layer0(self) -> Layer0Steps:
        """The steps for environments, load balancers, links, scale and deletions."""
        return Layer0Steps(self._to, self._recorder, self._targets)

    @cached_property
    def ecr(self) -> EcrSteps:
        """The steps for the upkeep of repositories and images, and for copies."""
        return EcrSteps(self._to, self._recorder, self._targets, self._session)

    @cached_property
    def _session(self) -> RegistrySession:
        return RegistrySession(self._to.ecr, self._to.clock, on_secret=self._to.on_secret)

    @cached_property
    def _targets(self) -> Targets:
        return Targets(self._to.locks, self.run_id, self._to.layer0_endpoint)

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
                check_files(files)
            return check_target(
                self._to,
                self._targets,
                self._session,
                environment=environment,
                service=service,
                image=lambda: (
                    None if repository is None or tag is None else self.image_reference(repository, tag=tag)
                ),
            )

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
            self._to, self._recorder.through(places), files=self._files, examples=self._examples
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
        profile: str = "",
        region: str = "",
    ) -> RepositoryOutcome:
        """Create the repository where it is missing.

        Args:
            profile: AWS profile of the account to have it in; empty for this run's own.

            region: AWS region to have it in; empty for the profile's own.
        """
        return self._recorder.perform(
            "create_repository",
            {
                "repository": repository,
                "create": create,
                "tags_immutable": tags_immutable,
                "scan_on_push": scan_on_push,
                **{name: value for name, value in (("profile", profile), ("region", region)) if value},
            },
            lambda _: create_repository(
                self.ecr.ecr_of(profile, region),
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
                **self._whereabouts(context),
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
        return self._recorder.perform(
            "find_image",
            {"repository": repository, "reference": reference},
            lambda _: find_image(
                self._to.registry, self._session, self.image_reference(repository, tag=reference)
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
                self._dockerrun(dockerrun, container, variables),
                image=ImageReference.parse(str(image)),
                container=container,
            ),
        )

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
                return self._recorder.perform("update_service", inputs, partial(_raise, error))
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
            return self._recorder.perform("rollback", inputs, partial(_raise, failed))
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
        """Run the deploy once; the containers' exit codes decide.

        In a run that is gone on with, a task that an earlier attempt started is waited for, or found to have succeeded; one
        that failed is run once more.
        """
        deploy_id = deploy if isinstance(deploy, str) else deploy.deploy_id
        names = {container: sorted(values) for container, values in (env_vars or {}).items()}
        # Values of environment variables may be secrets; their names tell enough.
        inputs: dict[str, object] = {
            "environment": environment,
            "task": task,
            "deploy_id": deploy_id,
            "env_vars": names,
            "wait": wait,
        }
        call = self._recorder.earlier.next_call("create_task", inputs)
        if call is not None and call.record.state is StepState.SUCCEEDED:
            done = call.record
            return self._recorder.perform("create_task", inputs, lambda _: _task_of(done))
        earlier = _open_task(call)
        try:
            jobs = jobs_alike(self._to.layer0, environment, task, deploy_id, env_vars)
        except EcrWidgetsError as error:
            return self._recorder.perform("create_task", inputs, partial(_raise, error))
        # What is still looked for came after what its own attempt knew.
        known = jobs if earlier is None else earlier.known_jobs
        inputs |= {KNOWN_JOBS: sorted(known)} if known else {}
        return self._recorder.perform(
            "create_task",
            inputs,
            lambda progress: create_task(
                self._to.layer0,
                self._to.clock,
                environment,
                task,
                deploy_id,
                env_vars=env_vars,
                wait=wait,
                timeout_s=timeout_s,
                known_jobs=jobs,
                earlier=earlier,
                progress=progress,
            ),
        )

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

    def image_reference(self, repository: str, *, tag: str) -> ImageReference:
        """A repository of the account's registry with a tag (or digest) as a full reference."""
        check_repository_name(repository)
        if tag.startswith("sha256:"):
            return ImageReference.parse(f"{self._session.token().registry}/{repository}@{tag}")
        return ImageReference(self._session.token().registry, repository, tag=check_tag(tag))

    def _dockerrun(
        self, path: str | Path, container: str | None, variables: Mapping[str, object] | None
    ) -> Dockerrun:
        with _naming(path):
            read = Dockerrun.parse(self._read(path))
        if not variables:
            return read
        values = {name: str(value) for name, value in variables.items()}
        return read.with_environment(container or read.containers[0].name, values)

    def _find(self, path: str | Path) -> Path:
        path = Path(path)
        return next((at / path for at in self._files if (at / path).exists()), path)

    def _whereabouts(self, path: str | Path) -> dict[str, str]:
        """What a record tells of where a relative path was found: of several files of that name, one is used."""
        found = self._find(path)
        if Path(path).is_absolute() or not found.exists():
            return {}
        found = found.absolute()
        shipped = self._examples is not None and found.is_relative_to(self._examples)
        return {"found": SHIPPED_EXAMPLE if shipped else str(found)}

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


def _raise(error: EcrWidgetsError, _: object) -> NoReturn:
    raise error


def _still_running(service: Service) -> str | None:
    """The deploy that a service runs beside the one it moves to: Layer0 stops it only when the new one runs."""
    old = [each for each in service.deployments if each is not service.primary and each.running_count]
    return max(old, key=lambda each: each.created_at).deploy_id if old else None


def _open_task(call: EarlierCall | None) -> EarlierTask | None:
    """What to look for where a call's end is not known: neither that nothing was started nor that all of it ended."""
    if call is None or (call.record.error or {}).get("type") == DeploymentFailed.__name__:
        return None
    return EarlierTask(
        call.record.started_at,
        call.record.inputs.get(KNOWN_JOBS, ()),
        None if call.next_alike is None else call.next_alike.inputs.get(KNOWN_JOBS, ()),
    )


def _task_of(record: StepRecord) -> TaskOutcome:
    """The task that an earlier attempt saw succeed."""
    told = record.outcome
    return TaskOutcome(
        told["task_id"],
        told["task"],
        told["environment"],
        told["deploy_id"],
        told["exit_codes"],
        tuple(told["log"]),
        changed=False,
        reconciled=told["reconciled"],
    )
