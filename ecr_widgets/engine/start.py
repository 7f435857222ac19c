"""Papermill with our engine, started so that nothing waits for imports."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ecr_widgets.channel import (
    PLAN_VARIABLE,
    RESUMED_VARIABLE,
    RUNBOOK_FOLDER_VARIABLE,
    WAIT_VARIABLE,
    is_within_plan,
    outside_a_run,
)
from ecr_widgets.engine.absent import declared_absent
from ecr_widgets.engine.events import RunEvent
from ecr_widgets.engine.execution import Interrupted, signals_raise
from ecr_widgets.engine.kernel import Kernel
from ecr_widgets.engine.papermill_log import knowing_parameters
from ecr_widgets.engine.results import RunResult, read_result
from ecr_widgets.errors import InputError
from ecr_widgets.model.record import RunState
from ecr_widgets.settings import RUNS_VARIABLE


@dataclass(frozen=True, slots=True)
class Start:
    """Which run is executed, and where it is saved."""

    run_id: str
    runbook: str
    runbook_sha256: str | None
    saved: Path
    plan: bool = False
    started_at: str | None = None
    attempts: tuple[Mapping[str, Any], ...] = ()
    goes_on_from: str | None = None
    """SHA-256 of the saved run that the attempts are from."""
    approval: Mapping[str, Any] | None = None
    """Who asked for an approval; for an approved run, who requested and who approved it."""
    reason: str = ""
    """Why the run is made, for its operation note."""


def kernel_environ(
    environ: Mapping[str, str], *, runs: Path | None, wait_s: float = 0.0, plan: bool = False
) -> dict[str, str]:
    """What the kernel of a run gets: each variable of the engine's is set here or removed.

    Args:
        runs: Folder of saved runs, in which steps look for what they prove; None leaves what the environment says.

        wait_s: How long a step waits for a target that another run holds, in seconds.

    Raises:
        InputError: A cell of a plan asks for a real run.
    """
    if is_within_plan(environ) and not plan:
        raise InputError(
            "the run is refused: a cell of a plan asks for it, and a plan changes nothing",
            hint="run it by hand",
        )
    return {
        **outside_a_run(environ),
        **({} if runs is None else {RUNS_VARIABLE: str(runs.absolute())}),
        WAIT_VARIABLE: str(wait_s),
        **({PLAN_VARIABLE: "1"} if plan else {}),
    }


def execute(
    source: Path,
    content: bytes,
    parameters: Mapping[str, Any],
    start: Start,
    *,
    environ: Mapping[str, str],
    on_event: Callable[[RunEvent], None],
    folder: Path | None = None,
) -> RunResult:
    """Execute a notebook as a run, and read from its file how it ended.

    Args:
        source: Where the notebook was read.

        content: What was read there and looked at: this is what runs, whatever the file holds by now.
    """
    told = {**environ, RUNBOOK_FOLDER_VARIABLE: _runbook_folder(source, content)}
    if start.attempts:
        # They are in the file by the time that its first cell runs.
        told[RESUMED_VARIABLE] = str(start.saved.absolute())
    ended: list[str | None] = []
    try:
        # To the very end: a signal that ended this process at once would leave the kernel's files behind.
        with signals_raise():
            _execute(source, content, parameters, start, told, folder or Path.cwd(), on_event, ended.append)
    except Interrupted as error:
        if not ended:
            # Before the run began: what its file holds, if anything, is from before.
            raise KeyboardInterrupt from error
    result = read_result(start.saved)
    if result.state is RunState.RUNNING:
        # The signal came while its end was being written: for those who read the file it was interrupted.
        raise KeyboardInterrupt
    return replace(result, unsealed=ended[0] if ended else None)


def _execute(
    source: Path,
    content: bytes,
    parameters: Mapping[str, Any],
    start: Start,
    environ: Mapping[str, str],
    folder: Path,
    on_event: Callable[[RunEvent], None],
    on_sealed: Callable[[str | None], None],
) -> None:
    # The kernel starts while papermill is imported; each takes about as long as the other.
    with Kernel(start.run_id, environ=environ, cwd=folder) as kernel:
        papermill, engine, serving = _import_papermill()
        request = engine.RunRequest(
            start.run_id,
            start.runbook,
            start.runbook_sha256,
            start.saved,
            kernel,
            on_event,
            folder=folder,
            runbook_folder=environ[RUNBOOK_FOLDER_VARIABLE],
            plan=start.plan,
            started_at=start.started_at,
            attempts=start.attempts,
            goes_on_from=start.goes_on_from,
            approval=start.approval,
            reason=start.reason,
            on_sealed=on_sealed,
        )
        with (
            knowing_parameters(parameters),
            serving(source, content) as input_path,
            contextlib.suppress(papermill.exceptions.PapermillExecutionError),
        ):
            papermill.execute_notebook(
                input_path,
                None,
                parameters=dict(parameters),
                engine_name="ecr_widgets",
                kernel_name="python3",
                progress_bar=False,
                run_request=request,
            )


def _runbook_folder(source: Path, content: bytes) -> str:
    """Where the files beside a runbook are; empty where that is not known.

    A saved run that is gone on with is not where its runbook was.
    """
    run = json.loads(content).get("metadata", {}).get("ecr_widgets")
    if isinstance(run, dict) and "run_id" in run:
        return str(run.get("runbook_folder") or "")
    return str(source.parent.absolute())


def _import_papermill() -> tuple[Any, Any, Any]:
    # An optional format checker of jsonschema builds its grammars at import, 0.7 s for addresses that no notebook has.
    with declared_absent("rfc3987_syntax"):
        import papermill

        from ecr_widgets.engine import papermill_engine
        from ecr_widgets.engine.papermill_files import serving
    return papermill, papermill_engine, serving
