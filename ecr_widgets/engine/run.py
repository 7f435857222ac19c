"""One run of a runbook, for the command line: papermill with our engine, started so that nothing waits for imports."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecr_widgets.channel import PLAN_VARIABLE, WAIT_VARIABLE, new_run_id
from ecr_widgets.engine.events import RunEvent
from ecr_widgets.engine.kernel import Kernel
from ecr_widgets.engine.saved_run import is_held, records_of
from ecr_widgets.errors import InputError, TargetBusy
from ecr_widgets.model.parameters import read_parameters
from ecr_widgets.model.record import RunState
from ecr_widgets.model.times import from_rfc3339
from ecr_widgets.redaction import SecretRegistry
from ecr_widgets.runbooks import find_runbook
from ecr_widgets.secret_parameters import refuse_secrets

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

    @property
    def exit_code(self) -> int:
        """The contract's exit code."""
        if self.state is RunState.FAILED:
            errors = [step["error"]["type"] for step in self.steps if step["error"]]
            return next((_EXIT_CODES_OF_ERRORS[e] for e in errors if e in _EXIT_CODES_OF_ERRORS), 1)
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
        }


def run_runbook(
    name_or_path: str | Path,
    given: Mapping[str, str],
    *,
    runs: Path,
    parameter_files: Sequence[Path] = (),
    environ: Mapping[str, str] = os.environ,
    wait_s: float = 0.0,
    plan: bool = False,
    on_event: Callable[[RunEvent], None] = lambda _: None,
) -> RunResult:
    """Run a runbook and save the run below `runs`.

    Args:
        given: Parameters as a person typed them.

        parameter_files: YAML files with parameters; `given` wins over them, later files over earlier ones.

        wait_s: How long to wait for a target that another run holds, in seconds.

        plan: Whether to look only; the saved notebook then says what the run would change, and nothing is changed.

    Raises:
        InputError: No such runbook, a parameter that it does not take, or a secret as one; nothing was started or
            written.
    """
    runbook = find_runbook(name_or_path)
    values: dict[str, Any] = {}
    for path in parameter_files:
        values |= _read_yaml(path)
    parameters = read_parameters(runbook.parameters, values=values, texts=given)
    known = SecretRegistry()
    known.register_environment(environ)
    refuse_secrets(parameters, known)
    run_id = new_run_id()
    saved = runs / f"{run_id}-{runbook.name}{'.plan' if plan else ''}.ipynb"
    try:
        runs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"runs cannot be saved in {str(runs)!r}: {error.strerror}", hint="give --runs"
        ) from error
    return _execute(
        runbook.path,
        parameters,
        _Start(run_id, runbook.name, runbook.sha256, saved, plan=plan),
        environ={**environ, WAIT_VARIABLE: str(wait_s), **({PLAN_VARIABLE: "1"} if plan else {})},
        on_event=on_event,
    )


def resume_run(
    run_id: str,
    *,
    runs: Path,
    environ: Mapping[str, str] = os.environ,
    wait_s: float = 0.0,
    on_event: Callable[[RunEvent], None] = lambda _: None,
) -> RunResult:
    """Go on with a run that did not succeed: the same cells with the same parameters, in the same saved file.

    Every step finds what stands and leaves it alone. What the earlier attempt recorded is kept in the run's metadata.

    Raises:
        InputError: There is no such run, it succeeded, or its folder is gone; nothing was started.

        TargetBusy: The run is still going on.
    """
    saved = find_run(run_id, runs)
    notebook = read_notebook(saved)
    run = notebook["metadata"]["ecr_widgets"]
    if run.get("plan"):
        raise InputError(f"{run_id} is a plan", hint="run its runbook without --plan")
    if run["state"] == RunState.SUCCEEDED.value:
        raise InputError(f"run {run_id} has succeeded", hint="start a new run")
    if is_held(saved):
        raise TargetBusy(
            f"run {run_id} is still going on", run_id=run_id, holder=run_id, hint="wait for its end"
        )
    folder = Path(run.get("folder") or Path.cwd())
    if not folder.is_dir():
        raise InputError(
            f"the folder {str(folder)!r} in which run {run_id} began is gone", hint="start a new run"
        )
    return _execute(
        saved,
        run["parameters"],
        _Start(
            run_id,
            run["runbook"],
            run["runbook_sha256"],
            saved,
            started_at=run["started_at"],
            attempts=(*run.get("attempts", ()), _attempt(run, notebook)),
        ),
        environ={**environ, WAIT_VARIABLE: str(wait_s)},
        folder=folder,
        on_event=on_event,
    )


def find_run(run_id: str, runs: Path) -> Path:
    """The saved file of a run.

    Raises:
        InputError: There is none.
    """
    found = [path for path in sorted(runs.glob("*.ipynb")) if run_id and path.name.startswith(f"{run_id}-")]
    if len(found) != 1:
        raise InputError(
            f"no run {run_id!r} in {str(runs)!r}",
            hint="give the id that the saved file's name begins with, or --runs",
        )
    return found[0]


def read_notebook(path: Path) -> dict[str, Any]:
    """A saved run as plain values.

    Raises:
        InputError: It cannot be read, or is no saved run.
    """
    try:
        notebook: dict[str, Any] = json.loads(path.read_bytes())
        run = notebook["metadata"]["ecr_widgets"]
        RunState(run["state"])
        from_rfc3339(run["started_at"])
        dict(run["parameters"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{str(path)!r} is not a saved run: {type(error).__name__} {error}") from error
    return notebook


def _attempt(run: Mapping[str, Any], notebook: Mapping[str, Any]) -> dict[str, Any]:
    # Nobody held the file, so one that says `running` was killed.
    killed = run["state"] == RunState.RUNNING.value
    return {
        "state": RunState.INTERRUPTED.value if killed else run["state"],
        "reason": "killed: nobody held the run any more" if killed else run["reason"],
        "started_at": run.get("resumed_at") or run["started_at"],
        "ended_at": run["ended_at"],
        "records": list(records_of(notebook)),
    }


@dataclass(frozen=True, slots=True)
class _Start:
    """Which run is executed, and where it is saved."""

    run_id: str
    runbook: str
    runbook_sha256: str | None
    saved: Path
    plan: bool = False
    started_at: str | None = None
    attempts: tuple[Mapping[str, Any], ...] = ()


def _execute(
    source: Path,
    parameters: Mapping[str, Any],
    start: _Start,
    *,
    environ: Mapping[str, str],
    on_event: Callable[[RunEvent], None],
    folder: Path | None = None,
) -> RunResult:
    # The kernel starts while papermill is imported; each takes about as long as the other.
    with Kernel(start.run_id, environ=environ, cwd=folder or Path.cwd()) as kernel:
        papermill, engine = _import_papermill()
        request = engine.RunRequest(
            start.run_id,
            start.runbook,
            start.runbook_sha256,
            start.saved,
            kernel,
            on_event,
            folder=folder or Path.cwd(),
            plan=start.plan,
            started_at=start.started_at,
            attempts=start.attempts,
        )
        with contextlib.suppress(papermill.exceptions.PapermillExecutionError, engine.Interrupted):
            papermill.execute_notebook(
                str(source),
                None,
                parameters=dict(parameters),
                engine_name="ecr_widgets",
                kernel_name="python3",
                progress_bar=False,
                run_request=request,
            )
    return read_result(start.saved)


def read_result(path: Path) -> RunResult:
    """How the saved run says it ended."""
    notebook = read_notebook(path)
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
    )


def _import_papermill() -> tuple[Any, Any]:
    # An optional format checker of jsonschema builds its grammars at import, 0.7 s for addresses that no notebook has.
    # This process is ours alone, so the checker is declared absent while the import looks for it.
    absent = "rfc3987_syntax" not in sys.modules
    if absent:
        sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    try:
        import papermill

        from ecr_widgets.engine import papermill_engine
    finally:
        if absent:
            del sys.modules["rfc3987_syntax"]
    return papermill, papermill_engine


def _read_yaml(path: Path) -> dict[str, Any]:
    import yaml

    try:
        values = yaml.safe_load(path.read_bytes()) or {}
    except (OSError, yaml.YAMLError) as error:
        raise InputError(
            f"parameters cannot be read from {str(path)!r}: {error}", hint="write YAML: name: value"
        ) from error
    if not isinstance(values, dict):
        raise InputError(f"{str(path)!r} holds no parameters", hint="write YAML: name: value")
    return {str(name): value for name, value in values.items()}
