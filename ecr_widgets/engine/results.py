"""Saved runs as the engine itself reads them: by id, and how they ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecr_widgets.engine.saved_run import records_of
from ecr_widgets.errors import InputError
from ecr_widgets.model.record import RunState
from ecr_widgets.model.times import from_rfc3339

WAITS_FOR_APPROVAL = 7
_EXIT_CODES = {RunState.SUCCEEDED: 0, RunState.FAILED: 1, RunState.INTERRUPTED: 3, RunState.UNKNOWN: 4}
_EXIT_CODES_OF_ERRORS = {"TargetBusy": 5, "RollbackFailed": 6}
"""Why a run failed, where scripts must tell it from other failures."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended."""

    run_id: str
    runbook: str
    state: RunState
    reason: str | None
    notebook: Path
    started_at: str
    ended_at: str
    steps: tuple[Mapping[str, Any], ...]
    waits_for_approval: bool = False
    """Whether it is a plan that another person has to let go on."""
    stood: bool = False
    """Whether it is an earlier run of the same slot, and nothing was run now."""
    unsealed: str | None = None
    """Why it could not be sealed; None where it was, or where nobody has tried just now."""

    def __str__(self) -> str:
        notes = (self.reason, self.unsealed and f"not sealed: {self.unsealed}")
        return f"{self.state}: {self.notebook}" + "".join(f" ({note})" for note in notes if note)

    @property
    def exit_code(self) -> int:
        """The contract's exit code."""
        if self.state is RunState.FAILED:
            errors = [step["error"]["type"] for step in self.steps if step["error"]]
            return next((_EXIT_CODES_OF_ERRORS[e] for e in errors if e in _EXIT_CODES_OF_ERRORS), 1)
        if self.waits_for_approval and self.state is RunState.SUCCEEDED:
            return WAITS_FOR_APPROVAL
        return _EXIT_CODES[self.state]

    def to_json(self) -> dict[str, Any]:
        """The document of `run --json`."""
        took = from_rfc3339(self.ended_at) - from_rfc3339(self.started_at)
        return {
            "run_id": self.run_id,
            "runbook": self.runbook,
            "state": self.state.value,
            "reason": self.reason,
            "notebook": str(self.notebook),
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "duration_s": round(took.total_seconds(), 3),
            "steps": [
                {name: step[name] for name in ("step", "state", "changed", "started_at", "ended_at")}
                for step in self.steps
            ],
            **({"waits_for_approval": True} if self.waits_for_approval else {}),
            **({"unsealed": self.unsealed} if self.unsealed else {}),
        }


def read_result(path: Path) -> RunResult:
    """How the saved run says it ended."""
    return result_of(read_notebook(path), path)


def result_of(notebook: Mapping[str, Any], path: Path) -> RunResult:
    """The same of a notebook that was read already."""
    run = notebook["metadata"]["ecr_widgets"]
    return RunResult(
        run["run_id"],
        run["runbook"],
        RunState(run["state"]),
        run["reason"],
        path,
        run["started_at"],
        run["ended_at"],
        tuple(records_of(notebook)),
        waits_for_approval=bool(run.get("plan") and run.get("approval")),
    )


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
        # Most are not it, which is seen without reading them as JSON.
        if not path.is_file() or run_id.encode() not in path.read_bytes():
            return False
        return bool(_parse(path.read_bytes(), path)["metadata"]["ecr_widgets"].get("run_id") == run_id)
    except (OSError, InputError):
        return False


def read_notebook(path: Path) -> dict[str, Any]:
    """A saved run as plain values, with all that the engine writes of one.

    Raises:
        InputError: It cannot be read, is no saved run, or lacks a member.
    """
    return parse_notebook(read_content(path), path)


def read_content(path: Path) -> bytes:
    """The bytes of a saved run, for those who look at it first and then run it: the file may be another by then.

    Raises:
        InputError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{str(path)!r} is not a saved run: {type(error).__name__} {error}") from error


def parse_notebook(content: bytes, path: Path) -> dict[str, Any]:
    """The same as `read_notebook` of bytes that were read from that path.

    Raises:
        InputError: It is no saved run, or lacks a member.
    """
    notebook = _parse(content, path)
    run = notebook["metadata"]["ecr_widgets"]
    lacks = [f"metadata.ecr_widgets.{name}" for name in _MEMBERS if name not in run]
    lacks += ["cells"] if "cells" not in notebook else []
    if lacks:
        raise InputError(
            f"{str(path)!r} is not a whole saved run: it has no {lacks[0]}",
            hint="restore the file, or start a new run",
        )
    return notebook


_MEMBERS = ("run_id", "runbook", "runbook_sha256", "reason", "actor", "ended_at")
"""Beside those that `_read` looks into."""


def _parse(content: bytes, path: Path) -> dict[str, Any]:
    try:
        notebook: dict[str, Any] = json.loads(content)
        run = notebook["metadata"]["ecr_widgets"]
        RunState(run["state"])
        from_rfc3339(run["started_at"])
        dict(run["parameters"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{str(path)!r} is not a saved run: {type(error).__name__} {error}") from error
    return notebook
