"""A fleet: one runbook, many targets; each target is a run with its own slot."""

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
    """What a fleet needs to know about its runbook."""

    name: str
    path: str
    """What to start it by from any folder: a shipped runbook's name, or an absolute path."""
    sha256: str
    parameters: Sequence[Parameter]


@dataclass(frozen=True, slots=True)
class Target:
    """One set of parameters, and the fleet's name for it."""

    name: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TargetRun:
    """All that is needed to start one target's run; it holds no secret, and can be sent to another host."""

    target: str
    runbook: str
    """A shipped runbook's name, or a path."""
    parameters: Mapping[str, Any]
    slot: str
    runs: str
    """Where the run is saved."""
    folder: str
    """Its working directory, which relative paths start from."""
    fleet_run: str = ""
    """Id of the fleet's own run, whose approval also covers this run."""

    def command(self) -> tuple[str, ...]:
        """The command line that starts it by hand, or from another engine."""
        given = (word for pair in self.parameters.items() for word in ("-p", pair[0], _typed(pair[1])))
        # A folder is a different one on each host; a bucket is not.
        runs = ("--runs", self.runs) if is_bucket(self.runs) else ()
        return ("ecr-widgets", "run", self.runbook, *given, "--slot", self.slot, *runs)


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a target's run ended."""

    target: str
    exit_code: int
    """Exit code of our command; negative for a signal."""
    run_id: str = ""
    reason: str = ""
    ran_before: bool = False
    """Whether it had succeeded before, so nothing ran now."""


def name_targets(sets: Sequence[Mapping[str, Any]]) -> tuple[Target, ...]:
    """Name each target by the first parameters in which they differ, in characters that a slot allows.

    If two names would be the same, or one too long, part of the parameters' SHA-256 tells them apart.
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
    """Most characters in a fleet's name: together with a target's it makes a slot."""
    return _LONGEST_SLOT - _LONGEST_NAME - 1


def slot_of(fleet: str, target: str) -> str:
    """The slot for a target's run."""
    return f"{fleet}:{target}"


def sha256_of(runbook_sha256: str, targets: Sequence[Target]) -> str:
    """SHA-256 of what a fleet runs: the runbook's cells and each target's parameters, in order."""
    whole = [runbook_sha256, [[each.name, dict(each.parameters)] for each in targets]]
    return hashlib.sha256(spelled(whole).encode()).hexdigest()


def target_sha256(name: str, parameters: Mapping[str, Any]) -> str:
    """Enough of a target's SHA-256 to recognize it: 16 hexadecimal digits."""
    return hashlib.sha256(spelled([name, dict(parameters)]).encode()).hexdigest()[:16]


def spelled(value: Any) -> str:
    """A value as text: the same only for equal values."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _in_slot(value: Any) -> str:
    return _NOT_IN_SLOTS.sub("-", _typed(value)).strip("-")


def _typed(value: Any) -> str:
    """The value as a person types it on a command line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _sha256(parameters: Mapping[str, Any]) -> str:
    return hashlib.sha256(spelled(parameters).encode()).hexdigest()
