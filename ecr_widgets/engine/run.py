"""Runs of runbooks, for the command line: started, resumed, or found to have already run."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ecr_widgets.audit.canonical import form_of
from ecr_widgets.channel import new_run_id
from ecr_widgets.engine.approval_rules import known_person, refuse_unapproved, who_asks
from ecr_widgets.engine.events import RunEvent
from ecr_widgets.engine.fleet_approval import approval_of_fleet, is_fleet, who_asks_of_fleet
from ecr_widgets.engine.own_door import execute
from ecr_widgets.engine.parameter_files import read_parameter_file
from ecr_widgets.engine.references import refuse_other_registries
from ecr_widgets.engine.request import RunOptions, RunRequest
from ecr_widgets.engine.results import OpenRun, RunResult, find_run, holder_of, open_run, result_of
from ecr_widgets.engine.slots import check_slot, hold_slot, saved_name
from ecr_widgets.errors import InputError, RecordError, TargetBusy
from ecr_widgets.model.bucket_path import Place
from ecr_widgets.model.parameters import computed_names, default_values, read_parameters
from ecr_widgets.model.paths import is_folder, why_unseen
from ecr_widgets.model.record import RunState
from ecr_widgets.model.run import Attempt
from ecr_widgets.model.times import to_rfc3339
from ecr_widgets.runbooks import Runbook, asks_for_approval, find_runbook
from ecr_widgets.secrets.parameters import refuse_secrets
from ecr_widgets.secrets.redaction import SecretRegistry


def run_runbook(
    name_or_path: str | Path,
    given: Mapping[str, str],
    *,
    runs: Place,
    parameter_files: Sequence[Path] = (),
    environ: Mapping[str, str] = os.environ,
    wait_s: float = 0.0,
    plan: bool = False,
    slot: str | None = None,
    reason: str = "",
    of_fleet: str | None = None,
    on_event: Callable[[RunEvent], None] = lambda _: None,
) -> RunResult:
    """Run a runbook and save the run below `runs`.

    Args:
        given: Parameters as a person typed them.

        parameter_files: YAML files with parameters; `given` overrides them, and later files override earlier ones.

        wait_s: How long to wait for a target that another run holds, in seconds.

        plan: Whether to make a plan only; the saved notebook then says what the run would change, and nothing is changed.

        slot: Slot of a schedule. It is run once: if its run succeeded, that run is returned; if not, it is resumed.

        reason: Why the run is made; becomes the saved notebook's operation note.

        of_fleet: Id of the fleet's run that starts this one for a target; the fleet's approval covers this run.

    Raises:
        InputError: No such runbook, a parameter that it does not accept, or a secret as a parameter; nothing was started
            or written.

        TargetBusy: Another process is working on the slot.
    """
    options = RunOptions(runs, environ, wait_s, reason, on_event)
    runbook = find_runbook(name_or_path)
    values: dict[str, Any] = {}
    for path in parameter_files:
        values |= read_parameter_file(path, runbook.parameters)
    known = SecretRegistry(environ)
    for each in (values, given, {"reason": reason, "slot": slot or ""}):
        refuse_secrets(each, known)
    parameters = read_parameters(runbook.parameters, values=values, texts=given)
    # Check again: a text may have been read as an object with a secret in it.
    refuse_secrets(parameters, known)
    refuse_other_registries(parameters)
    if slot is not None:
        check_slot(slot)
    asked_by = None if plan else _who_asks(runbook, parameters, environ)
    approval: Mapping[str, Any] | None = None
    if asked_by is not None and of_fleet and slot:
        approval = approval_of_fleet(of_fleet, runbook, parameters, slot, runs)
    if asked_by is not None and approval is None:
        # Make only the plan; another person then approves it.
        plan = True
        requester = known_person(environ, doing="ask for an approval")
        approval = {"asked_by": asked_by, "requester": requester.to_json()}
    with contextlib.nullcontext() if slot is None else hold_slot(runs, runbook.name, slot) as held:
        earlier = held.find() if held else None
        if earlier is not None and not _is_failed_plan(earlier):
            return _of_slot(earlier, runbook, parameters, options)
        run_id = held.claim(plan=plan) if held else new_run_id()
        return execute(
            RunRequest(
                run_id,
                runbook.name,
                runbook.sha256,
                runbook.path,
                runbook.content,
                parameters,
                runs / saved_name(run_id, runbook.name, slot=slot, plan=plan),
                options,
                folder=Path.cwd(),
                plan=plan,
                approval=approval,
            )
        )


def _of_slot(
    earlier: OpenRun, runbook: Runbook, parameters: Mapping[str, Any], options: RunOptions
) -> RunResult:
    header = earlier.header
    if header.parameters != _all_values(runbook, parameters):
        raise InputError(
            f"run {header.run_id} of this slot began with other parameters", hint="give the slot another name"
        )
    if header.state is RunState.SUCCEEDED:
        return replace(result_of(earlier), ran_before=True)
    if header.runbook_sha256 != runbook.sha256:
        # A run is resumed with its own cells; people who fixed the runbook would not notice that the fix is not used.
        raise InputError(
            f"{runbook.name} was edited since run {header.run_id} of this slot began, which ended as {header.state}",
            hint=f"resume it with the old cells by `run --resume {header.run_id}`, or give the slot another name",
        )
    # With the runbook's own cells, which are the same: others may be able to write to the saved file.
    return _resume(earlier, options, runbook=runbook)


def resume_run(
    run_id: str,
    *,
    runs: Place,
    environ: Mapping[str, str] = os.environ,
    wait_s: float = 0.0,
    on_event: Callable[[RunEvent], None] = lambda _: None,
) -> RunResult:
    """Resume a run that did not succeed: the same cells with the same parameters, in the same saved file.

    Every step finds what already exists and leaves it alone. The earlier attempt's records are kept in the run's metadata.

    Raises:
        InputError: No such run, it succeeded or is a plan, it was changed since it was sealed, it needs an approval that it
            does not have, or its folder does not exist; nothing was started.

        RecordError: The seals cannot be read.

        TargetBusy: The run is still running.
    """
    options = RunOptions(runs, environ, wait_s, on_event=on_event)
    return _resume(open_run(find_run(run_id, runs)), options)


def _resume(earlier: OpenRun, options: RunOptions, *, runbook: Runbook | None = None) -> RunResult:
    """Resume a saved run with its own cells, or with those of the given runbook."""
    header = earlier.header
    run_id = header.run_id
    if header.plan:
        waits = header.waits_for_approval and header.state is RunState.SUCCEEDED
        raise InputError(
            f"{run_id} is a plan",
            hint=f"have another person run it: `ecr-widgets approve {run_id}`"
            if waits
            else "run its runbook without --plan",
        )
    if header.state is RunState.SUCCEEDED:
        raise InputError(f"run {run_id} has succeeded", hint="start a new run")
    if (holder := holder_of(earlier.path)) is not None:
        by = "" if isinstance(earlier.path, Path) else f": {holder} holds it"
        raise TargetBusy(
            f"run {run_id} is still running{by}", run_id=run_id, holder=run_id, hint="wait for its end"
        )
    _refuse_altered(earlier)
    refuse_unapproved(
        who_asks(
            header.runbook,
            header.parameters,
            options.environ,
            required=asks_for_approval(json.loads(earlier.content))
            or (runbook is not None and runbook.approval),
        ),
        header.approval,
    )
    folder = Path(header.folder or Path.cwd())
    if not is_folder(folder):
        raise InputError(
            f"the folder {str(folder)!r} in which run {run_id} began {_where(folder, header.host)}",
            hint="start a new run",
        )
    return execute(
        RunRequest(
            run_id,
            header.runbook,
            header.runbook_sha256,
            earlier.path if runbook is None else runbook.path,
            earlier.content if runbook is None else runbook.content,
            header.parameters,
            earlier.path,
            options,
            folder=folder,
            approval=header.approval,
            started_at=header.started_at,
            attempts=(*header.earlier_attempts, _attempt(earlier)),
            resumes=hashlib.sha256(earlier.content).hexdigest(),
        )
    )


def _refuse_altered(run: OpenRun) -> None:
    """Refuse a run that was changed since it was sealed: its cells and records can no longer be trusted."""
    from ecr_widgets.audit.keys import default_ring
    from ecr_widgets.audit.sealed import why_altered

    path, run_id = run.path, run.header.run_id
    if why := why_altered(path.parent, path.name, run_id, run.content, ring=default_ring()):
        raise InputError(
            f"run {run_id} {why}",
            hint="see `ecr-widgets audit verify`, then start a new run; for a slot, under another name",
        )


def _where(folder: Path, host: str | None) -> str:
    """Why the folder of a run on that host cannot be used here, as the end of a sentence."""
    here = socket.gethostname()
    if host in (None, here):
        return f"cannot be used any more: {why_unseen(folder) or 'not a folder'}"
    return f"on {host} does not exist on {here}: its build contexts and Dockerruns are files there"


def _is_failed_plan(run: OpenRun) -> bool:
    """Whether it is a plan that did not succeed: that is not resumed but made again."""
    return run.header.plan and run.header.state is not RunState.SUCCEEDED


def _who_asks(runbook: Runbook, parameters: Mapping[str, Any], environ: Mapping[str, str]) -> str | None:
    if is_fleet(runbook) and not runbook.approval:
        return who_asks_of_fleet(_all_values(runbook, parameters), environ)
    return who_asks(
        runbook.name,
        _all_values(runbook, parameters),
        environ,
        required=runbook.approval,
        computed=computed_names(runbook.parameters),
    )


def _all_values(runbook: Runbook, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return default_values(runbook.parameters) | dict(parameters)


def _attempt(run: OpenRun) -> Attempt:
    header = run.header
    # Nobody held the file, so a run that is still `running` was killed.
    killed = header.state is RunState.RUNNING
    return Attempt(
        state=RunState.INTERRUPTED.value if killed else header.state.value,
        reason="killed: nobody held the run any more" if killed else header.reason,
        started_at=to_rfc3339(header.began_at),
        ended_at=to_rfc3339(header.ended_at),
        file_sha256=hashlib.sha256(run.content).hexdigest(),
        form_sha256=_form_sha256(run.content),
        records=[record.to_builtins() for record in run.records],
    )


def _form_sha256(content: bytes) -> str | None:
    try:
        return form_of(content).sha256
    except RecordError:
        return None
