"""A fleet for other people's engines: its waves as one JSON document, and a gate between two waves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ecr_widgets.engine.results import result_of
from ecr_widgets.engine.slots import find_in_slot
from ecr_widgets.errors import InputError
from ecr_widgets.model.bucket_path import Place
from ecr_widgets.model.fleet import FleetRunbook, Target, TargetRun, sha256_of, slot_of
from ecr_widgets.model.parameters import default_values
from ecr_widgets.model.record import RunState
from ecr_widgets.model.waves import Counts, TargetState, Verdict, WaveSizes, split, state_of, verdict
from ecr_widgets.runbooks import Runbook, find_runbook

_AT_ONCE = 16
"""Slots that are read at a time: in a bucket each takes several requests."""


def document_of(
    name: str,
    runbook: FleetRunbook,
    targets: Sequence[Target],
    *,
    runs: Place,
    waves: str,
    stop_after: int,
    at_once: int,
) -> dict[str, Any]:
    """Return what another engine needs to run the fleet: each target with its slot and command."""
    sizes = WaveSizes.parse(waves).cut(len(targets))
    return {
        "name": name,
        "runbook": runbook.path,
        "fleet_sha256": sha256_of(runbook.sha256, targets),
        "stop_after": stop_after,
        "at_once": at_once,
        "waves": [
            {
                "wave": number,
                "targets": [
                    {
                        "target": each.name,
                        "slot": slot_of(name, each.name),
                        "parameters": dict(each.parameters),
                        "command": _command(name, runbook, each, runs),
                    }
                    for each in wave
                ],
            }
            for number, wave in enumerate(split(targets, sizes), 1)
        ],
    }


@dataclass(frozen=True, slots=True)
class GateState:
    """What the saved runs say about the waves so far."""

    wave: int
    counts: Counts
    not_ended: int
    """Targets without a run yet, or with one in progress."""
    stop_after: int

    @property
    def is_open(self) -> bool:
        """Whether the next wave may begin."""
        return not self.not_ended and verdict(self.counts, stop_after=self.stop_after) is Verdict.GO_ON

    def __str__(self) -> str:
        left = f", {self.not_ended} not ended" if self.not_ended else ""
        return f"wave {self.wave}: {'open' if self.is_open else 'closed'}: {self.counts}{left} so far"

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {"wave": self.wave, "open": self.is_open, **asdict(self.counts), "not_ended": self.not_ended}


def look_at_wave(file: Path, wave: int, runs: Place) -> GateState:
    """Read how the targets of the waves up to this one ended.

    Args:
        file: A document from `document_of`, or one with it as its member `fleet`.

    Raises:
        InputError: Not such a document, or no such wave; a run in a bucket is not trusted; or a slot's run began with other
            parameters.
    """
    try:
        read = json.loads(file.read_bytes())
        fleet = read.get("fleet", read)
        runbook, stop_after = find_runbook(fleet["runbook"]), int(fleet["stop_after"])
        waves = [
            [(str(each["slot"]), dict(each["parameters"])) for each in one["targets"]]
            for one in fleet["waves"]
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{str(file)!r} is not a fleet: {error!r}", hint="save what `fleet RUNBOOK --plan --json` prints"
        ) from error
    if wave > len(waves):
        raise InputError(f"the fleet has no wave {wave}", hint=f"it has {len(waves)}")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        so_far = (target for one in waves[:wave] for target in one)
        states = list(pool.map(partial(_state, runs, runbook), so_far))
    return GateState(wave, Counts.of(states), states.count(None), stop_after)


def _state(runs: Place, runbook: Runbook, target: tuple[str, dict[str, Any]]) -> TargetState | None:
    slot, parameters = target
    run = find_in_slot(runs, runbook.name, slot)
    if run is None:
        return None
    if run.header.parameters != default_values(runbook.parameters) | parameters:
        # It is of an earlier fleet with this name: the target's own command is refused, and nothing of this fleet has run.
        raise InputError(
            f"run {run.header.run_id} of slot {slot} began with other parameters than this fleet has for it",
            hint="plan the fleet again with another --slot",
        )
    if run.header.state is RunState.RUNNING:
        return None
    return state_of(result_of(run).exit_code)


def _command(name: str, runbook: FleetRunbook, target: Target, runs: Place) -> list[str]:
    slot = slot_of(name, target.name)
    return list(TargetRun(target.name, runbook.path, target.parameters, slot, str(runs), "").command())
