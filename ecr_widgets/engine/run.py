"""One run of a runbook, for the command line: papermill with our engine, started so that nothing waits for imports."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecr_widgets.channel import WAIT_VARIABLE, new_run_id
from ecr_widgets.engine.events import RunEvent
from ecr_widgets.engine.kernel import Kernel
from ecr_widgets.errors import InputError
from ecr_widgets.model.parameters import read_parameters
from ecr_widgets.model.record import RunState
from ecr_widgets.model.times import from_rfc3339
from ecr_widgets.runbooks import find_runbook

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
    on_event: Callable[[RunEvent], None] = lambda _: None,
) -> RunResult:
    """Run a runbook and save the run below `runs`.

    Args:
        given: Parameters as a person typed them.

        parameter_files: YAML files with parameters; `given` wins over them, later files over earlier ones.

        wait_s: How long to wait for a target that another run holds, in seconds.

    Raises:
        InputError: No such runbook, or a parameter that it does not take; nothing was started or written.
    """
    runbook = find_runbook(name_or_path)
    values: dict[str, Any] = {}
    for path in parameter_files:
        values |= _read_yaml(path)
    parameters = read_parameters(runbook.parameters, values=values, texts=given)
    run_id = new_run_id()
    saved = runs / f"{run_id}-{runbook.name}.ipynb"
    try:
        runs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"runs cannot be saved in {str(runs)!r}: {error.strerror}", hint="give --runs"
        ) from error
    # The kernel starts while papermill is imported; each takes about as long as the other.
    with Kernel(run_id, environ={**environ, WAIT_VARIABLE: str(wait_s)}, cwd=Path.cwd()) as kernel:
        papermill, engine = _import_papermill()
        request = engine.RunRequest(run_id, runbook.name, runbook.sha256, saved, kernel, on_event)
        with contextlib.suppress(papermill.exceptions.PapermillExecutionError, engine.Interrupted):
            papermill.execute_notebook(
                str(runbook.path),
                None,
                parameters=parameters,
                engine_name="ecr_widgets",
                kernel_name="python3",
                progress_bar=False,
                run_request=request,
            )
    return read_result(saved)


def read_result(path: Path) -> RunResult:
    """How the saved run says it ended."""
    import json

    from ecr_widgets.engine.execution import records_of

    notebook = json.loads(path.read_bytes())
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
