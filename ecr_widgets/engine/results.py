"""Saved runs as the engine itself reads them: found by id, and how they ended."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from ecr_widgets.adapters.run_stores import store_of
from ecr_widgets.errors import InputError
from ecr_widgets.model.bucket_path import Place
from ecr_widgets.model.record import RunState, StepRecord
from ecr_widgets.model.run import RunHeader
from ecr_widgets.model.times import to_rfc3339
from ecr_widgets.ports.run_store import RunStore
from ecr_widgets.saved_runs.reading import read_header, read_run

WAITS_FOR_APPROVAL = 7
_EXIT_CODES = {RunState.SUCCEEDED: 0, RunState.FAILED: 1, RunState.INTERRUPTED: 3, RunState.UNKNOWN: 4}
_EXIT_CODES_OF_ERRORS = {"TargetBusy": 5, "RollbackFailed": 6}
"""Failures with an exit code of their own, so that scripts can tell them apart."""
REFUSED = 2
_REFUSAL = "GateRefused"
"""A refusal by a policy; if nothing was changed before it, the whole run counts as refused."""
_OF_STEPS = ("step", "state", "changed", "started_at", "ended_at")


class OpenRun(NamedTuple):
    """A saved run with the bytes that it was read from, so that what is checked is what runs."""

    path: Place
    content: bytes
    header: RunHeader
    records: tuple[StepRecord, ...]


def open_run(path: Place) -> OpenRun:
    """Read a saved run.

    Raises:
        InputError: It cannot be read, is not a saved run, or lacks a member.
    """
    try:
        stored = store_of(path.parent).read(path.name)
    except OSError as error:
        raise InputError(
            f"{str(path)!r} is not a saved run: {type(error).__name__} {error.strerror or error}"
        ) from error
    if stored is None:
        raise InputError(f"{str(path)!r} is not a saved run: it does not exist", hint="see --runs")
    content = stored.content
    return OpenRun(path, content, *read_run(content, path))


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended."""

    header: RunHeader
    steps: tuple[StepRecord, ...]
    notebook: Place
    ran_before: bool = False
    """Whether it is an earlier run of the same slot, and nothing was run now."""
    unsealed: str | None = None
    """Why it could not be sealed; None if it was sealed, or if this process did not try."""

    unattached: str | None = None
    """Why its seal is not attached to the images that it acted on, if that was requested; else None."""

    @property
    def run_id(self) -> str:
        return self.header.run_id

    @property
    def state(self) -> RunState:
        return self.header.state

    @property
    def reason(self) -> str | None:
        """Why it ended that way; None if it succeeded."""
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


def read_result(path: Place) -> RunResult:
    """The result in a saved run.

    Raises:
        InputError: It cannot be read, or is not a saved run.
    """
    return result_of(open_run(path))


def result_of(run: OpenRun) -> RunResult:
    """The result of a run that was already read."""
    return RunResult(run.header, run.records, run.path)


def holder_of(saved: Place) -> str | None:
    """Which process is running a saved run now, on any host; None if it is not running.

    Raises:
        InputError: The store does not say.
    """
    try:
        return store_of(saved.parent).holder(saved.name)
    except OSError as error:
        raise InputError(
            f"it cannot be determined whether {str(saved)!r} still runs: {error.strerror}"
        ) from error


def find_run(run_id: str, runs: Place) -> Place:
    """The saved run with that id: by its name, else in a folder by its content, since papermill saves under any name.

    Raises:
        InputError: No such run, or more than one; or the runs cannot be listed.
    """
    store = store_of(runs)
    try:
        named = (
            [name for name in store.names(prefix=f"{run_id}-") if name.endswith(".ipynb")] if run_id else []
        )
        names = named or [name for name in _unnamed(store) if run_id and _tells(store, name, run_id)]
    except OSError as error:
        raise InputError(f"the runs in {str(runs)!r} cannot be listed: {error.strerror}") from error
    if len(names) > 1:
        raise InputError(
            f"run {run_id} is in {' and in '.join(repr(str(runs / name)) for name in names)}",
            hint="move the copies away",
        )
    if not names:
        raise InputError(
            f"no run {run_id!r} in {str(runs)!r}", hint="give the id of a run that is saved there, or --runs"
        )
    return runs / names[0]


def _unnamed(store: RunStore) -> list[str]:
    # A bucket may hold a million.
    return [] if store.is_fenced else [name for name in store.names() if name.endswith(".ipynb")]


def _tells(store: RunStore, name: str, run_id: str) -> bool:
    for content in store.contents((name,)):
        # Searching bytes rules out most runs without decoding them.
        if run_id.encode() in content:
            with suppress(InputError):
                return read_header(content, name).run_id == run_id
    return False
