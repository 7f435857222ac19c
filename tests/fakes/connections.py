"""All outside systems of one world in memory, as a kit gets them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from ecr_widgets.errors import InputError, TargetBusy
from ecr_widgets.kit import Kit
from ecr_widgets.model.declarations import found_parameters
from ecr_widgets.model.ecs_names import is_ecs
from ecr_widgets.model.fleet import FleetRunbook, RunEnd, TargetRun
from ecr_widgets.model.services import Proof
from ecr_widgets.ports import ProgressSink, ignore_progress
from ecr_widgets.ports.gate import Gate, NoGate
from ecr_widgets.recording.earlier import EarlierRecords
from ecr_widgets.recording.recorder import Recorder
from ecr_widgets.recording.terminal import QuietSink
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.runbook_files import RunbookFiles
from ecr_widgets.steps.shared.targets import Targets
from ecr_widgets.steps.step import Step
from tests.fakes import NOW, FakeClock, FakeEcr, FakeEcs, FakeEngine, FakeLayer0, FakeRegistry, World

T = TypeVar("T")


class FakeLease:
    """Implements `ports.Lease`: held as often as it is asked, until `held_for` answers were given."""

    lost_to = "run run-0 on other-host holds it"

    def __init__(self) -> None:
        self.held_for: int | None = None

    @property
    def is_held(self) -> bool:
        if self.held_for is None:
            return True
        self.held_for -= 1
        return self.held_for >= 0


class FakeLocks:
    """Implements `ports.Locks`; notes what was held, and is busy where it is told to be."""

    def __init__(self) -> None:
        self.held: list[str] = []
        self.busy: set[str] = set()
        self.lease = FakeLease()

    @contextmanager
    def hold(self, target: str) -> Iterator[FakeLease]:
        if target in self.busy:
            raise TargetBusy(f"{target} is busy", run_id="run-1", holder="run-0")
        self.held.append(target)
        yield self.lease


class FakeFleetRuns:
    """Implements `ports.fleet_runs.FleetRuns`: each start takes the next of the target's exit codes, by default 0."""

    def __init__(self) -> None:
        self.codes: dict[str, list[int | BaseException]] = {}
        self.started: list[TargetRun] = []
        self.succeeded: set[str] = set()
        self.interrupted = 0
        self.declared = found_parameters('environment: str = "demo"\nservice: str = "web"\n')

    def start(self, run: TargetRun) -> RunEnd:
        self.started.append(run)
        codes = self.codes.get(run.target, [])
        code = codes.pop(0) if codes else 0
        if isinstance(code, BaseException):
            raise code
        return RunEnd(run.target, code, f"run-of-{run.target}", "" if code == 0 else f"ended with {code}")

    def read_runbook(self, name: str) -> FleetRunbook:
        return FleetRunbook(name, name, f"sha256 of {name}", self.declared)

    def check_parameters(self, parameters: Mapping[str, Any]) -> None:
        if "hush" in parameters.values():
            raise InputError("a secret")

    def place(self) -> tuple[str, str]:
        return "runs", "folder"

    def has_succeeded(self, run: TargetRun) -> bool:
        return run.target in self.succeeded

    @contextmanager
    def executor(self, at_once: int, scheduler: str) -> Iterator[Executor]:
        with ThreadPoolExecutor(at_once) as threads:
            yield threads

    def interrupt(self) -> None:
        self.interrupted += 1


class FakeConnections:
    """Implements `ports.connections.Connections` on one world."""

    def __init__(self, world: World, crashes: Sequence[str] = ()) -> None:
        self.clock = FakeClock(world)
        self.ecr = FakeEcr(world)
        self.registry = FakeRegistry(world)
        self.engine = FakeEngine(world)
        self.layer0 = FakeLayer0(world, crashes=crashes)
        self.ecs = FakeEcs(world)
        self.locks = FakeLocks()
        self.fleet_runs = FakeFleetRuns()
        self.gate: Gate = NoGate()

    def services_of(self, environment: str) -> FakeLayer0 | FakeEcs:
        """ECS where the name says so, else Layer0."""
        return self.ecs if is_ecs(environment) else self.layer0

    def targets(self) -> tuple[FakeLayer0 | FakeEcs, ...]:
        """Both."""
        return (self.layer0, self.ecs)

    def ecr_of(self, *, profile: str | None, region: str | None) -> FakeEcr:
        """One account is all there is."""
        return self.ecr

    proven: frozenset[str] = frozenset()

    def proven_deploys(self, service_id: str) -> dict[str, Proof]:
        """Whatever the test says; a day ago, by ana."""
        return {each: Proof(NOW - timedelta(days=1), "ana") for each in sorted(self.proven)}

    def register_secret(self, secret: str) -> None:
        """Nothing here shows secrets."""

    def on_secret(self, secret: str) -> None:
        """Nothing here shows secrets."""


def make_kit(to: FakeConnections, folder: Path) -> Kit:
    """A kit on them that looks for files in a folder."""
    return Kit(to, Recorder("run-1", to.clock, QuietSink()), files=(folder,))


def make_outside(to: FakeConnections, folder: Path | None = None) -> Outside:
    """The outside of one run on them, for a step that is tried alone."""
    targets = Targets(to.locks, "run-1")
    files = RunbookFiles((folder or Path(),))
    return Outside(to, targets, files, EarlierRecords(), "run-1")


def perform(step: Step[Any, T], outside: Outside, progress: ProgressSink = ignore_progress) -> T:
    """Look and act, as a run does, without a record and a lock."""
    step = step.resolved(outside)
    return step.act(outside, step.look(outside, progress), progress)
