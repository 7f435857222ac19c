"""A fleet: one runbook, many targets; each target is a run with a slot of its own."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecr_widgets.model.bucket_path import is_bucket
from ecr_widgets.model.parameters import Parameter

_LONGEST_SLOT = 80
_LONGEST_NAME = 40
_NOT_IN_SLOTS = re.compile(r"[^A-Za-z0-9._+-]+", re.ASCII)
_HASH = 8


@dataclass(frozen=True, slots=True)
class FleetRunbook:
    """What a fleet has to know of its runbook."""

    name: str
    path: str
    """What starts it from any folder: a shipped one's name, or an absolute path."""
    sha256: str
    parameters: Sequence[Parameter]


@dataclass(frozen=True, slots=True)
class Target:
    """One set of parameters, by the name that the fleet has for it."""

    name: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TargetRun:
    """The run of one target, as whatever starts it needs it; it holds no secret, and can be sent to another host."""

    target: str
    runbook: str
    """A shipped runbook's name, or a path."""
    parameters: Mapping[str, Any]
    slot: str
    runs: str
    """Where the run is saved."""
    folder: str
    """Where it works, and relative paths begin."""
    fleet_run: str = ""
    """Id of the fleet's own run, whose approval is this run's as well."""

    def command(self) -> tuple[str, ...]:
        """The words that start it by hand, or from an engine of one's own."""
        given = (word for pair in self.parameters.items() for word in ("-p", pair[0], _typed(pair[1])))
        # A folder is another one on each host; a bucket is not.
        runs = ("--runs", self.runs) if is_bucket(self.runs) else ()
        return ("ecr-widgets", "run", self.runbook, *given, "--slot", self.slot, *runs)


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How the run of a target ended."""

    target: str
    exit_code: int
    """Of our command; negative for a signal."""
    run_id: str = ""
    reason: str = ""
    ran_before: bool = False
    """Whether it had succeeded before, and nothing was run now."""


def name_targets(sets: Sequence[Mapping[str, Any]]) -> tuple[Target, ...]:
    """Name each target by the first parameters in which they differ, in letters that a slot takes.

    Where that makes two names the same, or one too long, a part of the parameters' SHA-256 tells them apart.
    """
    varied = [
        name
        for name in dict.fromkeys(name for each in sets for name in each)
        if len({spelled(each.get(name)) for each in sets}) > 1
    ] or list(sets[0] if sets else ())
    plain, times = [""] * len(sets), Counter([""] * len(sets))
    for name in varied:
        plain = [
            "-".join(filter(None, (before, _in_slot(each[name]) if name in each else "")))
            for before, each in zip(plain, sets, strict=True)
        ]
        times = Counter(plain)
        if len(times) == len(sets):
            break
    return tuple(
        Target(
            name
            if name and times[name] == 1 and len(name) <= _LONGEST_NAME
            else f"{name[: _LONGEST_NAME - _HASH - 1]}-{_sha256(each)[:_HASH]}".lstrip("-"),
            each,
        )
        for name, each in zip(plain, sets, strict=True)
    )


def longest_fleet_name() -> int:
    """Characters that a fleet's name may have: with a target's it makes a slot."""
    return _LONGEST_SLOT - _LONGEST_NAME - 1


def slot_of(fleet: str, target: str) -> str:
    """The slot of a target's run."""
    return f"{fleet}:{target}"


def sha256_of(runbook_sha256: str, targets: Sequence[Target]) -> str:
    """SHA-256 over what a fleet runs: the runbook's cells and each target's parameters, in their order."""
    whole = [runbook_sha256, [[each.name, dict(each.parameters)] for each in targets]]
    return hashlib.sha256(spelled(whole).encode()).hexdigest()


def target_sha256(name: str, parameters: Mapping[str, Any]) -> str:
    """Enough of the SHA-256 over a target to know it again: 16 hexadecimal digits."""
    return hashlib.sha256(spelled([name, dict(parameters)]).encode()).hexdigest()[:16]


def spelled(value: Any) -> str:
    """A value as text: the same for equal values only."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _in_slot(value: Any) -> str:
    return _NOT_IN_SLOTS.sub("-", _typed(value)).strip("-")


def _typed(value: Any) -> str:
    """As a person types it at a command line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _sha256(parameters: Mapping[str, Any]) -> str:
    return hashlib.sha256(spelled(parameters).encode()).hexdigest()
