"""Check that a fleet is done with all its targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ecr_widgets.errors import FleetStopped
from ecr_widgets.model.waves import Counts
from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.plan_fleet import Fleet
from ecr_widgets.steps.run_wave import WaveOutcome
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.step import Look

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class FleetOutcome:
    """A fleet that is done."""

    fleet: str
    targets: int
    succeeded: int
    waves: int
    changed: bool = False


@dataclass(frozen=True)
class FleetResult(Look[FleetOutcome]):
    """Sum up a fleet's waves: it has succeeded if each target has.

    Args:
        fleet: What `plan_fleet` returned.

        waves: All its waves.

    Raises:
        FleetStopped: A target failed, though no more failed than the fleet allows, or a wave is missing.
    """

    fleet: Fleet
    waves: Sequence[WaveOutcome]

    def inputs(self, outside: Outside) -> dict[str, Any]:
        return {}  # its outcome names the fleet

    def expected(self, outside: Outside) -> FleetOutcome:
        fleet = self.fleet
        return FleetOutcome(fleet.fleet, fleet.targets, fleet.targets, len(fleet.sizes))

    def look(self, outside: Outside, progress: ProgressSink) -> FleetOutcome:
        fleet = self.fleet
        counts = sum((each.counts for each in self.waves), Counts())
        if counts.succeeded < fleet.targets:
            left = fleet.targets - counts.ended
            never = f", {left} not started" if left else ""
            raise FleetStopped(
                f"of {fleet.targets} targets {counts}{never}",
                # The others are in the waves' own records.
                reasons=[str(failed) for wave in self.waves for failed in wave.failures][:_SHOWN],
                targets={"targets": fleet.targets, "succeeded": counts.succeeded, "failed": counts.failures},
                hint="find out why, then resume the fleet: only what is left is run",
            )
        return FleetOutcome(fleet.fleet, fleet.targets, counts.succeeded, len(self.waves))
