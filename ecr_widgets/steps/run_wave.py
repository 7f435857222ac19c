"""Run one wave of a fleet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from ecr_widgets.errors import FleetStopped, FleetUnknown, InputError
from ecr_widgets.model.fleet import RunEnd, TargetRun
from ecr_widgets.model.text import cut
from ecr_widgets.model.waves import Counts, TargetState, Verdict, state_of, verdict
from ecr_widgets.ports import Progress, ProgressSink
from ecr_widgets.steps.plan_fleet import Fleet
from ecr_widgets.steps.shared.fleet_wave import Wave
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.step import Step

_LONGEST_END_S = 25.0
"""How long the runs of an interrupted wave have to end by themselves, in seconds."""
_SHOWN = 10
_LONGEST_REASON = 150


@dataclass(frozen=True, slots=True)
class FailedTarget:
    """A target that did not succeed."""

    target: str
    state: str
    reason: str
    run_id: str

    def __str__(self) -> str:
        run = f" (run {self.run_id})" if self.run_id else ""
        return f"{self.target} {self.state}: {self.reason or 'no reason given'}{run}"


@dataclass(frozen=True, slots=True)
class WaveOutcome:
    """The result of one wave."""

    wave: int
    """Counts from 1."""
    targets: int
    succeeded: int
    failed: int
    unknown: int
    waiting: int
    """Targets whose runs wait for another person's approval."""
    not_started: int
    ran_before: int
    """How many of those that succeeded did so before this attempt."""
    failures: tuple[FailedTarget, ...]
    """The first ones that did not succeed."""
    warnings: tuple[str, ...] = ()
    changed: bool = True

    @property
    def counts(self) -> Counts:
        """The targets by state."""
        return Counts(self.succeeded, self.failed, self.unknown, self.waiting)

    def to_error(self) -> dict[str, Any]:
        """The members that an error's record has about it."""
        names = ("wave", "targets", "succeeded", "failed", "unknown", "waiting", "not_started", "ran_before")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class FoundWave:
    """A wave that can begin."""

    runs: tuple[TargetRun, ...]
    succeeded: frozenset[str]
    """Targets that already succeeded in an earlier attempt."""


@dataclass(frozen=True)
class RunWave(Step[FoundWave, WaveOutcome]):
    """Run the next wave of a fleet: each target as a run of its own, in its own slot.

    Targets that succeeded in an earlier attempt are left alone. A target that another run holds is tried once more at the
    wave's end.

    Args:
        fleet: What `plan_fleet` returned.

        before: The waves before.

    Raises:
        FleetStopped: More targets have failed than the fleet allows, or one waits for an approval.

        FleetUnknown: The outcome of a target is not known.

        InputError: There is no further wave.
    """

    asks: ClassVar = ("this machine or the cluster: a run of the runbook for each target",)

    fleet: Fleet
    before: Sequence[WaveOutcome] = ()

    @property
    def number(self) -> int:
        """Counts from 1."""
        return len(self.before) + 1

    def inputs(self, outside: Outside) -> dict[str, Any]:
        return {"wave": self.number, "of": len(self.fleet.sizes)}

    def look(self, outside: Outside, progress: ProgressSink) -> FoundWave:
        waves = outside.fleets.get(self.fleet.fleet, ())
        if self.number > len(waves):
            raise InputError(f"fleet {self.fleet.fleet} has no wave {self.number}")
        runs, succeeded = waves[self.number - 1], set[str]()
        if any(outside.earlier.of_step(self.step)):
            fleet_runs = outside.connections.fleet_runs
            for at, run in enumerate(runs):
                progress(Progress(self._what, "looking for what is left", at, len(runs), "targets"))
                if fleet_runs.has_succeeded(run):
                    succeeded.add(run.target)
        return FoundWave(runs, frozenset(succeeded))

    def plan(self, outside: Outside, found: FoundWave) -> WaveOutcome:
        count = len(found.runs)
        return WaveOutcome(self.number, count, count, 0, 0, 0, 0, 0, ())

    def plan_record(self, outside: Outside, found: FoundWave, planned: WaveOutcome) -> dict[str, Any]:
        return {"targets": planned.targets, "changed": True}

    def act(self, outside: Outside, found: FoundWave, progress: ProgressSink) -> WaveOutcome:
        fleet, runs = self.fleet, outside.connections.fleet_runs
        began_s = outside.clock.monotonic_s()
        ends = {name: RunEnd(name, 0, ran_before=True) for name in found.succeeded}

        def tell(wave: Wave) -> None:
            passed_s = outside.clock.monotonic_s() - began_s
            progress(self._progress(wave, passed_s, already=len(found.succeeded)))

        with runs.executor(fleet.at_once, fleet.scheduler) as executor:
            wave = Wave(found.runs, runs.start, executor, fleet.at_once, tell, ends)
            try:
                wave.run()
            except KeyboardInterrupt as error:
                runs.interrupt()
                if not fleet.scheduler:
                    wave.await_ends(_LONGEST_END_S)
                # Its record says how far it got; on a cluster the runs that began continue to their own ends.
                error.targets = self._outcome(wave).to_error()  # type: ignore[attr-defined]
                raise
        outcome = self._outcome(wave)
        self._judge(outcome)
        return outcome

    @property
    def _what(self) -> str:
        return f"wave {self.number} of {len(self.fleet.sizes)}"

    def _progress(self, wave: Wave, passed_s: float, *, already: int) -> Progress:
        counts, count = wave.counts, len(wave.runs)
        words = [f"{len(wave.under_way)} running"]
        if counts.failures:
            words.append(f"{counts.failures} failed")
        if counts.waiting:
            words.append(f"{counts.waiting} waiting for approval")
        now = counts.ended - already
        if now and counts.ended < count:
            words.append(f"{_duration(passed_s / now * (count - counts.ended))} left")
        return Progress(self._what, f"{', '.join(words)}; ended", counts.ended, count, "targets")

    def _outcome(self, wave: Wave) -> WaveOutcome:
        counts, order = wave.counts, {run.target: at for at, run in enumerate(wave.runs)}
        bad = sorted(
            (end for end in wave.ends.values() if end.exit_code != 0), key=lambda end: order[end.target]
        )
        ran_before = sum(end.ran_before for end in wave.ends.values())
        return WaveOutcome(
            self.number,
            len(wave.runs),
            counts.succeeded,
            counts.failed,
            counts.unknown,
            counts.waiting,
            len(wave.runs) - len(wave.ends),
            ran_before,
            tuple(map(_failed, bad[:_SHOWN])),
            changed=len(wave.ends) > ran_before,
            warnings=(f"{counts.failed} of {len(wave.runs)} failed",) if counts.failed else (),
        )

    def _judge(self, outcome: WaveOutcome) -> None:
        """Stop the fleet if its rule says so."""
        so_far = sum((each.counts for each in (*self.before, outcome)), Counts())
        allowed = self.fleet.stop_after
        match verdict(so_far, stop_after=allowed):
            case Verdict.GO_ON:
                return
            case Verdict.UNKNOWN:
                kind: type[FleetStopped] = FleetUnknown
                why = f"nobody knows what came of {_count(so_far.unknown)}"
                hint = "find out from the target's own run what was done, then resume the fleet"
            case Verdict.TOO_MANY_FAILED:
                kind = FleetStopped
                why = f"{_count(so_far.failures)} failed so far, more than {allowed}"
                hint = "find out why, then resume the fleet: only what is left is run"
            case Verdict.WAITING:
                kind = FleetStopped
                why = f"{_count(so_far.waiting)} wait for another person's approval"
                hint = "have them approved by `ecr-widgets approve`, then resume the fleet"
        reasons = tuple(map(str, outcome.failures))
        raise kind(
            f"{self._what} stopped the fleet: {why}", reasons=reasons, targets=outcome.to_error(), hint=hint
        )


def _count(number: int) -> str:
    return f"{number} target" if number == 1 else f"{number} targets"


def _failed(end: RunEnd) -> FailedTarget:
    state = state_of(end.exit_code)
    if state is TargetState.BUSY:
        # It was tried twice.
        return _failed(replace(end, exit_code=1, reason=f"busy: {end.reason}"))
    return FailedTarget(end.target, state.value, cut(end.reason, _LONGEST_REASON), end.run_id)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
