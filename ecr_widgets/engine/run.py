"""Runs of runbooks, for the command line: started, gone on with, or found to have run already."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ecr_widgets.audit.canonical import form_of
from ecr_widgets.audit.holders import is_held
from ecr_widgets.channel import new_run_id
from ecr_widgets.engine.asking import known_person, refuse_unapproved, who_asks
from ecr_widgets.engine.events import RunEvent
from ecr_widgets.engine.parameter_files import read_parameter_file
from ecr_widgets.engine.references import refuse_other_registries
from ecr_widgets.engine.results import (
    RunResult,
    find_run,
    parse_notebook,
    read_content,
    result_of,
)
from ecr_widgets.engine.saved_run import records_of
from ecr_widgets.engine.slots import check_slot, find_in_slot, hold_slot, saved_name
from ecr_widgets.engine.start import Start, execute, kernel_environ
from ecr_widgets.errors import InputError, RecordError, TargetBusy
from ecr_widgets.model.parameters import computed_names, default_values, read_parameters
from ecr_widgets.model.record import RunState
from ecr_widgets.runbooks import Runbook, asks_for_approval, find_runbook
from ecr_widgets.secrets.parameters import refuse_secrets
from ecr_widgets.secrets.redaction import SecretRegistry


def run_runbook(
    name_or_path: str | Path,
    given: Mapping[str, str],
    *,
    runs: Path,
    parameter_files: Sequence[Path] = (),
    environ: Mapping[str, str] = os.environ,
    wait_s: float = 0.0,
    plan: bool = False,
    slot: str | None = None,
    reason: str = "",
    on_event: Callable[[RunEvent], None] = lambda _: None,
) -> RunResult:
    """Run a runbook and save the run below `runs`.

    Args:
        given: Parameters as a person typed them.

        parameter_files: YAML files with parameters; `given` wins over them, later files over earlier ones.

        wait_s: How long to wait for a target that another run holds, in seconds.

        plan: Whether to look only; the saved notebook then says what the run would change, and nothing is changed.

        slot: Slot of a schedule. It is run once: where its run succeeded that run is given back, and one that did not
            is gone on with.

        reason: Why the run is made; becomes the saved notebook's operation note.

    Raises:
        InputError: No such runbook, a parameter that it does not take, or a secret as one; nothing was started or
            written.

        TargetBusy: Another process is at work on the slot.
    """
    runbook = find_runbook(name_or_path)
    values: dict[str, Any] = {}
    for path in parameter_files:
        values |= read_parameter_file(path, runbook.parameters)
    known = SecretRegistry()
    known.register_environment(environ)
    for each in (values, given, {"reason": reason, "slot": slot or ""}):
        refuse_secrets(each, known)
    parameters = read_parameters(runbook.parameters, values=values, texts=given)
    # Once more: a text may turn out to be an object with a secret in it.
    refuse_secrets(parameters, known)
    refuse_other_registries(parameters)
    if slot is not None:
        check_slot(slot)
    asked_by = None if plan else _who_asks(runbook, parameters, environ)
    approval = None
    if asked_by is not None:
        # It goes as far as its plan; another person lets it go on.
        plan = True
        requester = known_person(environ, doing="ask for an approval")
        approval = {"asked_by": asked_by, "requester": requester.to_json()}
    try:
        runs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"runs cannot be saved in {str(runs)!r}: {error.strerror}", hint="give --runs"
        ) from error
    with contextlib.nullcontext() if slot is None else hold_slot(runs, runbook.name, slot):
        earlier = find_in_slot(runs, runbook.name, slot) if slot is not None else None
        if earlier is not None and not _is_failed_plan(*earlier):
            return _of_slot(*earlier, runbook, parameters, runs, environ, wait_s, reason, on_event)
        run_id = new_run_id()
        saved = runs / saved_name(run_id, runbook.name, slot=slot, plan=plan)
        return execute(
            runbook.path,
            runbook.content,
            parameters,
            Start(
                run_id,
                runbook.name,
                runbook.sha256,
                saved,
                plan=plan,
                approval=approval,
                reason=reason,
            ),
            environ=kernel_environ(environ, runs=runs, wait_s=wait_s, plan=plan),
            on_event=on_event,
        )


def _of_slot(
    saved: Path,
    content: bytes,
    runbook: Runbook,
    parameters: Mapping[str, Any],
    runs: Path,
    environ: Mapping[str, str],
    wait_s: float,
    reason: str,
    on_event: Callable[[RunEvent], None],
) -> RunResult:
    notebook = parse_notebook(content, saved)
    run = notebook["metadata"]["ecr_widgets"]
    if run["parameters"] != _all_values(runbook, parameters):
        raise InputError(
            f"run {run['run_id']} of this slot began with other parameters", hint="give the slot another name"
        )
    if run["state"] == RunState.SUCCEEDED.value:
        return replace(result_of(notebook, saved), stood=True)
    if run["runbook_sha256"] != runbook.sha256:
        # A run goes on with its own cells; whoever mended the runbook would not see that it is not used.
        raise InputError(
            f"{runbook.name} was edited since run {run['run_id']} of this slot began, which ended as {run['state']}",
            hint=f"go on with the old cells by `run --resume {run['run_id']}`, or give the slot another name",
        )
    # By the runbook's own cells, which are the same: the file may be one that others could write to.
    return _go_on(saved, content, runs, environ, wait_s, on_event, runbook=runbook, reason=reason)


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
    return _go_on(saved, read_content(saved), runs, environ, wait_s, on_event)


def _go_on(
    saved: Path,
    content: bytes,
    runs: Path,
    environ: Mapping[str, str],
    wait_s: float,
    on_event: Callable[[RunEvent], None],
    *,
    runbook: Runbook | None = None,
    reason: str = "",
) -> RunResult:
    """Go on with a saved run, by its own cells or those of the runbook that it is of."""
    notebook = parse_notebook(content, saved)
    run = notebook["metadata"]["ecr_widgets"]
    run_id = run["run_id"]
    if run.get("plan"):
        raise InputError(f"{run_id} is a plan", hint="run its runbook without --plan")
    if run["state"] == RunState.SUCCEEDED.value:
        raise InputError(f"run {run_id} has succeeded", hint="start a new run")
    if is_held(saved):
        raise TargetBusy(
            f"run {run_id} is still going on", run_id=run_id, holder=run_id, hint="wait for its end"
        )
    refuse_unapproved(
        who_asks(
            run["runbook"],
            run["parameters"],
            environ,
            required=asks_for_approval(notebook) or (runbook is not None and runbook.approval),
        ),
        run.get("approval"),
    )
    folder = Path(run.get("folder") or Path.cwd())
    if not folder.is_dir():
        raise InputError(
            f"the folder {str(folder)!r} in which run {run_id} began is gone", hint="start a new run"
        )
    return execute(
        saved if runbook is None else runbook.path,
        content if runbook is None else runbook.content,
        run["parameters"],
        Start(
            run_id,
            run["runbook"],
            run["runbook_sha256"],
            saved,
            started_at=run["started_at"],
            attempts=(*run.get("attempts", ()), _attempt(run, notebook, content)),
            goes_on_from=hashlib.sha256(content).hexdigest(),
            approval=run.get("approval"),
            reason=reason,
        ),
        environ=kernel_environ(environ, runs=runs, wait_s=wait_s),
        folder=folder,
        on_event=on_event,
    )


def _is_failed_plan(saved: Path, content: bytes) -> bool:
    """Whether there is nothing to go on with: a plan that ended badly is made anew."""
    run = parse_notebook(content, saved)["metadata"]["ecr_widgets"]
    return bool(run.get("plan")) and run["state"] != RunState.SUCCEEDED.value


def _who_asks(runbook: Runbook, parameters: Mapping[str, Any], environ: Mapping[str, str]) -> str | None:
    return who_asks(
        runbook.name,
        _all_values(runbook, parameters),
        environ,
        required=runbook.approval,
        computed=computed_names(runbook.parameters),
    )


def _all_values(runbook: Runbook, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return default_values(runbook.parameters) | dict(parameters)


def _attempt(run: Mapping[str, Any], notebook: Mapping[str, Any], content: bytes) -> dict[str, Any]:
    # Nobody held the file, so one that says `running` was killed.
    killed = run["state"] == RunState.RUNNING.value
    return {
        "state": RunState.INTERRUPTED.value if killed else run["state"],
        "reason": "killed: nobody held the run any more" if killed else run["reason"],
        "started_at": run.get("resumed_at") or run["started_at"],
        "ended_at": run["ended_at"],
        # What its seal is of: else the seal of what comes would contradict it.
        "file_sha256": hashlib.sha256(content).hexdigest(),
        "form_sha256": _form_sha256(content),
        "records": list(records_of(notebook)),
    }


def _form_sha256(content: bytes) -> str | None:
    try:
        return form_of(content).sha256
    except RecordError:
        return None
