"""What a step works with: the outside systems, and what one run keeps from step to step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast

from ecr_widgets.errors import InputError, RegistryError, RepositoryNotFound
from ecr_widgets.model.ecs_names import is_ecs
from ecr_widgets.model.image_reference import ImageReference, check_repository_name, check_tag
from ecr_widgets.model.record import JsonObject, StepRecord
from ecr_widgets.ports import Clock, Ecr, Engine, Layer0, ProgressSink, Registry
from ecr_widgets.ports.connections import Connections
from ecr_widgets.ports.services import Services
from ecr_widgets.steps.shared.patience import PatientTarget
from ecr_widgets.steps.shared.registry_session import RegistrySession, StepSession
from ecr_widgets.steps.shared.runbook_files import RunbookFiles
from ecr_widgets.steps.shared.service_lookup import find_environment
from ecr_widgets.steps.shared.targets import Targets

if TYPE_CHECKING:
    from ecr_widgets.model.fleet import TargetRun
    from ecr_widgets.model.services import Dialect
    from ecr_widgets.steps.shared.image_uses import UsesOutcome
    from ecr_widgets.steps.shared.service_wait import EarlierLook


class EarlierAttempts(Protocol):
    """What earlier attempts of a resumed run recorded."""

    def next_call(self, step: str, inputs: JsonObject) -> Any:
        """What is left of the same call made by an earlier attempt; None if it made none."""

    def of_step(self, step: str) -> Iterator[StepRecord]:
        """All records of a step, newest first."""


@dataclass(frozen=True)
class Outside:
    """The outside systems as the steps of one run share them."""

    connections: Connections
    targets: Targets
    files: RunbookFiles
    earlier: EarlierAttempts
    run_id: str
    journal: Callable[[], Iterable[StepRecord]] = tuple
    """What this run has recorded so far."""
    planned: dict[Any, Any] = field(default_factory=dict)
    """In a plan: what its own steps would make, keyed by an image's reference, `repository_key` or `service_key`."""
    fleets: dict[str, tuple[tuple[TargetRun, ...], ...]] = field(default_factory=dict)
    """The waves of each planned fleet, by the fleet's name: more than fits into a record."""
    looks: dict[str, EarlierLook] = field(default_factory=dict)
    """What `check_target` saw of the services that this run will change, by their ids."""
    progress: ProgressSink | None = None
    """That of the step at work, whose reads of deploy targets bear a short outage; None for queries, which fail at once."""
    _answered: set[Dialect] = field(default_factory=set)
    _sessions: dict[tuple[str, str], RegistrySession] = field(default_factory=dict)

    @property
    def clock(self) -> Clock:
        return self.connections.clock

    @property
    def ecr(self) -> Ecr:
        return self.connections.ecr

    @property
    def registry(self) -> Registry:
        return self.connections.registry

    @property
    def engine(self) -> Engine:
        return self.connections.engine

    @property
    def layer0(self) -> Layer0:
        return cast("Layer0", self._patient(self.connections.layer0, Layer0))

    @property
    def session(self) -> RegistrySession:
        """The session with the account's own registry; nothing is loaded or requested before it is used."""
        return self.session_of("", "")

    def services_of(self, environment: str) -> Services:
        return cast("Services", self._patient(self.connections.services_of(environment), Services))

    def _patient(self, target: Services, protocol: type) -> Any:
        if self.progress is None:
            return target
        return PatientTarget(target, protocol, self.clock, self.progress, self._answered)

    def layer0_of(self, environment: str, what: str) -> Layer0:
        """Layer0, for what only Layer0 can do.

        Raises:
            InputError: The environment is not Layer0's.
        """
        if is_ecs(environment):
            raise InputError(f"{what} is for Layer0 only, and {environment!r} is a cluster of ECS")
        return self.layer0

    def service_target(self, environment: str, service: str) -> str:
        """What a run holds while it changes a service, by `Targets`' name for it.

        Raises:
            EntityNotFound: No such environment.
        """
        services = self.services_of(environment)
        place = find_environment(services, environment)
        return self.targets.service(services.address(), place.environment_id, service)

    def requests(self, environment: str, *calls: str) -> tuple[str, ...]:
        """The requests that those calls make to the deploy target that an environment is on."""
        services = self.services_of(environment)
        return tuple(services.request(call) for call in calls)

    def ecr_of(self, profile: str, region: str) -> Ecr:
        """ECR of another account or region, if either is named."""
        if not profile and not region:
            return self.ecr
        return self.connections.ecr_of(profile=profile or None, region=region or None)

    def session_of(self, profile: str, region: str) -> RegistrySession:
        """A session with that registry; the run's own if neither is named."""
        if (profile, region) not in self._sessions:
            self._sessions[profile, region] = RegistrySession(
                self.ecr_of(profile, region), self.clock, on_secret=self.connections.on_secret
            )
        return self._sessions[profile, region]

    def name_of(self, image: ImageReference, *, profile: str = "", region: str = "") -> str:
        """The repository of a reference that a person gave, which must name the registry that is used, or none.

        Raises:
            InvalidReference: It is another registry's.
        """
        if image.registry is None:
            return check_repository_name(image.repository)
        return self.session_of(profile, region).registry().own(image).repository

    def reference(self, repository: str, reference: str) -> ImageReference:
        """A repository of the account's registry, by the registry's own name for it, with a tag or digest."""
        host = self.session.token().registry
        check_repository_name(repository)
        if reference.startswith("sha256:"):
            return ImageReference.parse(f"{host}/{repository}@{reference}")
        return ImageReference(host, repository, tag=check_tag(reference))

    @staticmethod
    def repository_key(name: str, profile: str = "", region: str = "") -> tuple[str, ...]:
        """The key in `planned` of a repository that the plan would create."""
        return ("repository", profile, region, name)

    @staticmethod
    def service_key(environment: str, service: str) -> tuple[str, ...]:
        """The key in `planned` of a service that the plan would create."""
        return ("service", environment, service)

    def find_tagged(
        self,
        image: ImageReference,
        session: RegistrySession | StepSession,
        profile: str = "",
        region: str = "",
    ) -> str | None:
        """The digest that a tag names now, or None.

        Raises:
            RepositoryNotFound: There is no such repository, and neither this plan nor a push would create it.
        """
        if self.repository_key(image.repository, profile, region) in self.planned:
            return None
        try:
            return session.use(lambda token: self.registry.find_digest(image, token))
        except RepositoryNotFound:
            # If the templates may not be read, the repository counts as missing.
            with suppress(RegistryError):
                if self.ecr_of(profile, region).creates_on_push(image.repository):
                    return None
            raise

    def uses(self, repository: str, progress: ProgressSink) -> UsesOutcome:
        """Which of a repository's images all deploy targets run and store."""
        # Imported late: only image clean-up needs it, deploys do not.
        from ecr_widgets.steps.shared.image_uses import find_uses

        repository = check_repository_name(repository)
        targets = [cast("Services", self._patient(each, Services)) for each in self.connections.targets()]
        return find_uses(targets, repository, registry=self.session.registry(), progress=progress)
