"""Plan a fleet: which targets, in which waves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ecr_widgets.errors import InputError
from ecr_widgets.model.fleet import (
    Target,
    TargetRun,
    longest_fleet_name,
    sha256_of,
    slot_of,
    target_sha256,
)
from ecr_widgets.model.target_lists import Source, source_of
from ecr_widgets.model.waves import WaveSizes, split
from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.shared.fleet_targets import find_targets
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.step import Look, if_given

_MOST_AT_ONCE = 1000
_SHOWN = 200
"""How many targets a record names; the count and the digest cover all of them."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """A fleet that can begin: its targets are checked and split into waves."""

    fleet: str
    """Its name; its targets' slots begin with it."""
    runbook: str
    runbook_sha256: str
    targets: int
    sizes: tuple[int, ...]
    """How many targets each wave has."""
    waves: tuple[str, ...]
    """The targets of each wave, by name, for people."""
    fleet_sha256: str
    """Over the runbook and all targets with their parameters."""
    stop_after: int
    at_once: int
    pause_s: float
    scheduler: str
    approved_targets: tuple[str, ...] = ()
    """For an approved fleet: digests by which each target's run knows that it was approved."""
    changed: bool = False


@dataclass(frozen=True)
class PlanFleet(Look[Fleet]):
    """Read the targets of a fleet, check each against the runbook, and split them into waves.

    Args:
        runbook: What each target runs: a shipped runbook's name, or a path.

        targets: A file with one set of parameters per line, as JSON or CSV; the list itself as JSON; or
            `ENVIRONMENT/SERVICE*` for the services that exist.

        parameters: Parameters of all targets, as typed at a command line; a target's own take precedence.

        waves: Sizes of the waves, by count or as a percentage of all targets; the last is repeated. The first is the canary.

        stop_after: How many failures are allowed: after one more, no further wave begins.

        at_once: How many targets run at the same time.

        pause_s: Pause between waves, in seconds.

        name: The fleet's name; empty for the run's id.

        scheduler: Address of a Dask scheduler; empty for processes here.

    Raises:
        InputError: A target appears twice, or a parameter is unknown or has the wrong type; the message names the line.
    """

    runbook: str
    targets: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    waves: str = "1,100%"
    stop_after: int = 0
    at_once: int = 8
    pause_s: float = 0.0
    name: str = if_given("")
    scheduler: str = if_given("")

    def inputs(self, outside: Outside) -> dict[str, Any]:
        # The list itself is already in the run's parameters, and may be long.
        shown = "in the parameters" if source_of(self.targets) is Source.TEXT else self.targets
        return super().inputs(outside) | {"targets": shown}

    def look(self, outside: Outside, progress: ProgressSink) -> Fleet:
        sizes, name = WaveSizes.parse(self.waves), self.name or outside.run_id
        self._check(name)
        runs = outside.connections.fleet_runs
        runbook = runs.read_runbook(self.runbook)
        targets = find_targets(
            self.targets,
            runbook,
            common=self.parameters,
            check=runs.check_parameters,
            read=outside.files.read,
            services_of=outside.services_of,
        )
        sha256 = sha256_of(runbook.sha256, targets)
        self._check_same(outside, sha256)
        approved = outside.files.approved
        approved.check_fleet(self.runbook, sha256)
        is_approved = approved.sha256s is not None
        saved_in, folder = runs.place()
        waves = split(targets, sizes.cut(len(targets)))
        outside.fleets[name] = tuple(
            tuple(
                TargetRun(
                    each.name,
                    runbook.path,
                    each.parameters,
                    slot_of(name, each.name),
                    saved_in,
                    folder,
                    fleet_run=outside.run_id if is_approved else "",
                )
                for each in wave
            )
            for wave in waves
        )
        return Fleet(
            name,
            runbook.name,
            runbook.sha256,
            len(targets),
            tuple(map(len, waves)),
            _shown(waves),
            sha256,
            self.stop_after,
            self.at_once,
            self.pause_s,
            self.scheduler,
            tuple(target_sha256(each.name, each.parameters) for each in targets) if is_approved else (),
        )

    def _check(self, name: str) -> None:
        if self.stop_after < 0:
            raise InputError(f"stop_after {self.stop_after} refused", hint="give a count, 0 or more")
        if not 1 <= self.at_once <= _MOST_AT_ONCE:
            raise InputError(f"at_once {self.at_once} refused", hint=f"give 1 to {_MOST_AT_ONCE}")
        if len(name) > longest_fleet_name():
            raise InputError(
                f"the fleet's name {name!r} is too long: a slot's name consists of it and a target's name",
                hint=f"give up to {longest_fleet_name()} characters",
            )

    @staticmethod
    def _check_same(outside: Outside, sha256: str) -> None:
        """Refuse to resume a fleet with other targets: nobody planned to run what is left of another list."""
        planned = (each.outcome.get("fleet_sha256") for each in outside.earlier.of_step("plan_fleet"))
        # An attempt that was itself refused here has none, and must not let the next one pass.
        before = next(filter(None, planned), sha256)
        if before != sha256:
            raise InputError(
                "the targets or the runbook are not those that this fleet began with",
                hint="restore them, or start a new fleet",
            )


def _shown(waves: Sequence[Sequence[Target]]) -> tuple[str, ...]:
    left, lines = _SHOWN, []
    for wave in waves:
        names = [each.name for each in wave[:left]]
        left -= len(names)
        more = len(wave) - len(names)
        plural = "" if len(wave) == 1 else "s"
        named = ", ".join(names) + (f" and {more} more" if names and more else "")
        lines.append(f"{len(wave)} target{plural}" + (f": {named}" if named else ""))
    return tuple(lines)
