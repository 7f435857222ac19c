"""Saved runs as the engine itself reads them: by id, and how they ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ecr_widgets.errors import InputError
from ecr_widgets.model.record import RunState, StepRecord
from ecr_widgets.model.run import RunHeader
from ecr_widgets.model.times import to_rfc3339
from ecr_widgets.saved_runs.reading import read_file, read_header, read_run

WAITS_FOR_APPROVAL = 7
_EXIT_CODES = {RunState.SUCCEEDED: 0, RunState.FAILED: 1, RunState.INTERRUPTED: 3, RunState.UNKNOWN: 4}
_EXIT_CODES_OF_ERRORS = {"TargetBusy": 5, "RollbackFailed": 6}
"""Why a run failed, where scripts must tell it from other failures."""
REFUSED = 2
_REFUSAL = "GateRefused"
"""By a policy; where nothing was changed before that, nothing was begun."""
_OF_STEPS = ("step", "state", "changed", "started_at", "ended_at")


class OpenRun(NamedTuple):
    """A saved run with the bytes that it was read from: what is looked at is what runs."""

    path: Path
    content: bytes
    header: RunHeader
    records: tuple[StepRecord, ...]


def open_run(path: Path) -> OpenRun:
    """Read a saved run.

    Raises:
        InputError: It cannot be read, is no saved run, or lacks a member.
    """
    content = read_file(path)
    return OpenRun(path, content, *read_run(content, path))


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended."""

    header: RunHeader
    steps: tuple[StepRecord, ...]
    notebook: Path
    ran_before: bool = False
    """Whether it is an earlier run of the same slot, and nothing was run now."""
    unsealed: str | None = None
    """Why it could not be sealed; None where it was, or where nobody has tried just now."""

    unattached: str | None = None
    """Why its seal is not attached to the images that it acted on, where that is asked for."""

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.header.run_id

    @property
    def state(self) -> RunState:
        """How it ended."""
        return self.header.state

    @property
    def reason(self) -> str | None:
        """Why it ended so; None where it succeeded."""
        return self.header.reason

    def __str__(self) -> str:
        notes = (
            self.reason,
            self.unsealed and f"not sealed: {self.unsealed}",
            self.unattached and f"not attached: {self.unattached}",
        )
        return f"{self.state}: {self.notebook}" + "".join(f" ({note})" for note in notes if note)

    @property
    def exit_code(self) -> int:
        """The contract's exit code."""
        if self.state is RunState.FAILED:
            errors = [step.error.get("type") for step in self.steps if step.error]
            if _REFUSAL in errors and not any(step.changed for step in self.steps):
                return REFUSED
            return next((_EXIT_CODES_OF_ERRORS[e] for e in errors if e in _EXIT_CODES_OF_ERRORS), 1)
        if self.header.waits_for_approval and self.state is RunState.SUCCEEDED:
            return WAITS_FOR_APPROVAL
        return _EXIT_CODES[self.state]

    def to_json(self) -> dict[str, Any]:
        """The document of `run --json`."""
        steps = [step.to_builtins() for step in self.steps]
        return {
            "run_id": self.run_id,
            "runbook": self.header.runbook,
            "state": self.state.value,
            "reason": self.reason,
            "notebook": str(self.notebook),
            "started_at": to_rfc3339(self.header.started_at),
            "ended_at": to_rfc3339(self.header.ended_at),
            "duration_s": self.header.duration_s,
            "steps": [{name: step[name] for name in _OF_STEPS} for step in steps],
            **({"waits_for_approval": True} if self.header.waits_for_approval else {}),
            **({"ran_before": True} if self.ran_before else {}),
            **({"unsealed": self.unsealed} if self.unsealed else {}),
            **({"unattached": self.unattached} if self.unattached else {}),
        }


def read_result(path: Path) -> RunResult:
    """How the saved run says it ended.

    Raises:
        InputError: It cannot be read, or is no saved run.
    """
    return result_of(open_run(path))


def result_of(run: OpenRun) -> RunResult:
    """The same of a run that was read already."""
    return RunResult(run.header, run.records, run.path)


def find_run(run_id: str, runs: Path) -> Path:
    """The saved file of a run: by its name, else by what it says, since papermill saves under any name.

    Raises:
        InputError: There is none, or more than one.
    """
    files = sorted(runs.glob("*.ipynb"))
    named = [path for path in files if run_id and path.name.startswith(f"{run_id}-")]
    found = named or [path for path in files if run_id and _tells(path, run_id)]
    if len(found) > 1:
        raise InputError(
            f"run {run_id} is in {' and in '.join(repr(str(path)) for path in found)}",
            hint="move the copies away",
        )
    if not found:
        raise InputError(
            f"no run {run_id!r} in {str(runs)!r}", hint="give the id of a run that is saved there, or --runs"
        )
    return found[0]


def _tells(path: Path, run_id: str) -> bool:
    try:
        # Most are not it, which is seen without decoding them.
        if not path.is_file() or run_id.encode() not in (content := path.read_bytes()):
            return False
        return read_header(content, path).run_id == run_id
    except (OSError, InputError):
        return False
