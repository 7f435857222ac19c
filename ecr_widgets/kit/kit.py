"""The kit: every step as one call that leaves its record. Runbooks, panels and command line all go through it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ecr_widgets import steps
from ecr_widgets.approved_files import ANY_FILES, ApprovedFiles
from ecr_widgets.errors import DeploymentFailed, InputError, WaitTimeout
from ecr_widgets.kit.layer0_steps import Layer0Steps
from ecr_widgets.kit.repository_steps import RepositorySteps
from ecr_widgets.kit.runner import Runner, Steps, call
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.ports.connections import Connections
from ecr_widgets.ports.read_only import ReadOnlyConnections
from ecr_widgets.recording.recorder import Recorder
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.runbook_files import RunbookFiles
from ecr_widgets.steps.shared.targets import Targets

if TYPE_CHECKING:
    from datetime import datetime

    from ecr_widgets.kit.queries import Queries
    from ecr_widgets.recording.notebook import Places
    from ecr_widgets.steps.deploy_service import ServiceOutcome
    from ecr_widgets.steps.plan_fleet import Fleet
    from ecr_widgets.steps.run_wave import WaveOutcome
    from ecr_widgets.steps.shared.service_wait import WaitOutcome


class Kit(Steps):
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
        planning: bool = False,
    ) -> None:
        """Join connections and recorder.

        Args:
            files: Folders to search for a relative path, in this order.

            examples: Folder of the shipped examples; records say if a file is one of them.

            approved: What the files that the steps use must contain.

            planning: Whether to change nothing: steps only record what they would do.
        """
        to = ReadOnlyConnections(connections) if planning else connections
        outside = Outside(
            to,
            Targets(to.locks, recorder.run_id),
            RunbookFiles(files, examples, approved),
            recorder.earlier,
            recorder.run_id,
            lambda: recorder.records,
        )
        super().__init__(Runner(outside, recorder, planning=planning))

    check_target = call(lambda: steps.CheckTarget)
    login = call(lambda: steps.Login)
    create_repository = call(lambda: steps.CreateRepository)
    build_image = call(lambda: steps.BuildImage)
    push_image = call(lambda: steps.PushImage)
    find_image = call(lambda: steps.FindImage)
    pull_image = call(lambda: steps.PullImage)
    check_evidence = call(lambda: steps.CheckEvidence)
    create_deploy = call(lambda: steps.CreateDeploy)
    deploy_service = call(lambda: steps.DeployService)
    find_service = call(lambda: steps.FindService)
    rollback = call(lambda: steps.Rollback)
    verify = call(lambda: steps.Verify)
    create_task = call(lambda: steps.CreateTask)
    continue_deployment = call(lambda: steps.ContinueDeployment)
    plan_fleet = call(lambda: steps.PlanFleet)
    run_wave = call(lambda: steps.RunWave)
    fleet_result = call(lambda: steps.FleetResult)

    @property
    def ecr(self) -> RepositorySteps:
        """The steps for maintaining repositories and images, and for copying images."""
        return RepositorySteps(self._runner)

    @property
    def layer0(self) -> Layer0Steps:
        """The steps for environments, load balancers, links, scale and deletions."""
        return Layer0Steps(self._runner)

    @property
    def look(self) -> Queries:
        """Queries that leave no record."""
        # Only panels and commands use them; most runs do not.
        from ecr_widgets.kit.queries import Queries

        return Queries(self._outside)

    @property
    def _outside(self) -> Outside:
        return self._runner.outside

    @property
    def run_id(self) -> str:
        """The id of the run that the records belong to."""
        return self.recorder.run_id

    @property
    def recorder(self) -> Recorder:
        """The records so far."""
        return self._runner.recorder

    def wait(
        self, service: ServiceOutcome, *, timeout_s: float = 600.0, on_failure: str = "stop"
    ) -> WaitOutcome:
        """Wait until the service runs its deploy and nothing else; see `steps.wait.Wait`.

        Args:
            timeout_s: Longest wait, in seconds.

            on_failure: `stop` leaves the service as it is; `rollback` returns it to the deploy that it ran before,
            as a step of its own. Either way the wait fails.
        """
        if on_failure not in ("stop", "rollback"):
            raise InputError(f"on_failure is {on_failure!r}", hint="give stop or rollback")
        try:
            return self._runner.run(steps.Wait(service, timeout_s=timeout_s))
        except (DeploymentFailed, WaitTimeout) as error:
            if on_failure == "stop":
                raise
            back = self._runner.run(steps.Rollback(service, timeout_s=timeout_s, after_failure=True))
            raise DeploymentFailed(
                f"{error.message}; the service was rolled back to deploy {back.deploy_id}",
                hint="fix the image or the Dockerrun, then deploy again",
            ) from error

    def run_waves(self, fleet: Fleet, *, before: tuple[WaveOutcome, ...] = ()) -> tuple[WaveOutcome, ...]:
        """Run the remaining waves of a fleet, each as a step of its own; see `steps.run_wave.RunWave`.

        Pauses between waves for the fleet's `pause_s` seconds.

        Args:
            before: Waves that have already run.

        Returns:
            All waves, including those before.
        """
        waves = before
        while len(waves) < len(fleet.sizes):
            if waves and fleet.pause_s and not self._runner.planning:
                self._outside.clock.sleep(fleet.pause_s)
            waves = (*waves, self._runner.run(steps.RunWave(fleet, waves)))
        return waves

    @contextmanager
    def hold_service(self, environment: str, service: str) -> Iterator[None]:
        """Lock a service against other runs for as long as the context lasts, over several steps.

        A run holds the service that its `check_target` looked at until it ends; use this where no `check_target` was called.

        Raises:
            TargetBusy: Another run holds the service.
        """
        with self._outside.targets.hold(self._outside.service_target(environment, service)):
            yield

    def register_secret(self, secret: str) -> None:
        """Keep your own secret, such as a database password, out of all records and everything that this run saves.

        What was already saved with it is saved again without it. AWS's and Layer0's own secrets are already known.

        Raises:
            InputError: It has fewer than 8 characters: masking it would damage other text.
        """
        self._outside.connections.register_secret(secret)

    def now(self) -> datetime:
        """The current time, as an aware UTC datetime."""
        return self._outside.clock.now()

    def acting_in(self, places: Places, run_id: str) -> Self:
        """Return the same kit for one action, as a run of its own: its records appear in existing displays.

        It does not log in again. It remembers nothing that earlier actions saw: people act on what they see now.
        """
        outside, recorder = self._outside, self.recorder.of_run(run_id, places)
        targets = Targets(outside.connections.locks, run_id)
        other = copy(self)
        other._runner = Runner(
            replace(outside, targets=targets, run_id=run_id, journal=lambda: recorder.records),
            recorder,
            planning=self._runner.planning,
        )
        return other

    def name_of(self, image: ImageReference, *, profile: str = "", region: str = "") -> str:
        """Return the repository name in a reference that the user gave; it must be in the current registry or name no registry.

        Raises:
            InvalidReference: It is in another registry.
        """
        return self._outside.name_of(image, profile=profile, region=region)
