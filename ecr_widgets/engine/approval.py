"""A second person's approval: the run stops at its plan, and is carried out only if the plan still fits the current state."""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ecr_widgets.actor import Person, actor
from ecr_widgets.adapters.run_stores import store_of
from ecr_widgets.approved_files import ApprovedFiles
from ecr_widgets.audit.keys import default_ring
from ecr_widgets.audit.sealed import look_at_seal
from ecr_widgets.channel import new_run_id
from ecr_widgets.engine.approval_rules import known_person
from ecr_widgets.engine.events import RunEvent
from ecr_widgets.engine.own_door import execute
from ecr_widgets.engine.request import RunOptions, RunRequest
from ecr_widgets.engine.results import OpenRun, RunResult, find_run, open_run
from ecr_widgets.engine.slots import hold_slot, saved_name, slot_of_plan
from ecr_widgets.errors import InputError, Replaced, RunError
from ecr_widgets.model.bucket_path import Place
from ecr_widgets.model.paths import is_folder, why_unseen
from ecr_widgets.model.record import RunState, StepRecord
from ecr_widgets.model.run import RunHeader
from ecr_widgets.model.times import to_rfc3339
from ecr_widgets.saved_runs.reading import read_run


def approve(
    run_id: str,
    *,
    runs: Place,
    environ: Mapping[str, str] = os.environ,
    wait_s: float = 0.0,
    on_event: Callable[[RunEvent], None] = lambda _: None,
) -> RunResult:
    """Approve a plan: check that it still fits, then run its cells with its parameters, as a new run.

    Args:
        run_id: The plan that waits.

    Raises:
        InputError: No such plan, it needs no approval or already has one, this person made it or is not known, it is not
            sealed by anybody known here, its file was changed since, or it no longer fits; nothing was changed.

        TargetBusy: The plan is for a slot that another process is working on.
    """
    saved = find_run(run_id, runs)
    # Read once, so that what is checked here is what runs.
    plan, owner_uid = _open(saved)
    header = plan.header
    asked_by = (header.approval or {}).get("asked_by")
    if not header.plan or asked_by is None:
        raise InputError(
            f"{run_id} is not a plan that waits for an approval", hint="give the id of one that does"
        )
    if header.state is not RunState.SUCCEEDED:
        raise InputError(f"plan {run_id} has {header.state}: {header.reason}", hint="make a new plan")
    approver = known_person(environ, doing="approve")
    requester = _requester(header, owner_uid)
    # Another host numbers its accounts differently: for its plans only the keys tell people apart.
    is_of_this_host = isinstance(saved, Path) or header.host == socket.gethostname()
    if is_of_this_host and approver.may_be(requester):
        raise InputError(
            f"{actor()} made plan {run_id} and cannot approve it", hint="have another person run `approve`"
        )
    plan_key = _check_seal(
        plan,
        runs,
        told_apart=is_of_this_host and None not in (approver.login_uid, requester.login_uid),
    )
    folder = Path(header.folder or Path.cwd())
    if not is_folder(folder):
        why = why_unseen(folder) or "not a folder"
        raise InputError(
            f"the folder {str(folder)!r} of plan {run_id} cannot be used: {why}", hint="make a new plan"
        )
    options = RunOptions(runs, environ, wait_s, on_event=on_event)
    looked_at = _check_fit(plan, folder, RunOptions(runs, environ))
    new_id = new_run_id()
    approval = {
        "asked_by": asked_by,
        "plan": run_id,
        "plan_key": plan_key,
        "requested_by": header.actor,
        "approved_by": actor(),
        "approved_at": to_rfc3339(datetime.now(UTC)),
        "files": looked_at.sha256s,
    }
    slot = slot_of_plan(saved, run_id, header.runbook)
    with nullcontext() if slot is None else hold_slot(runs, header.runbook, slot) as held:
        _use_up(runs, approval | {"run_id": new_id})
        target = runs / saved_name(new_id, header.runbook, slot=slot, plan=False)
        if held:
            held.point_at(target.name)
        return execute(replace(_request(plan, new_id, target, folder, options), approval=approval))


def _request(plan: OpenRun, run_id: str, saved: Place, folder: Path, options: RunOptions) -> RunRequest:
    """The request to run a plan's own cells with its parameters."""
    header = plan.header
    return RunRequest(
        run_id,
        header.runbook,
        header.runbook_sha256,
        plan.path,
        plan.content,
        header.parameters,
        saved,
        options,
        folder=folder,
    )


@dataclass(frozen=True, slots=True)
class WaitingPlan:
    """A plan that waits for another person's approval."""

    run_id: str
    runbook: str
    requested_by: str
    asked_by: str
    started_at: str

    def __str__(self) -> str:
        return f"{self.run_id}: {self.runbook}, planned by {self.requested_by}; approval required by {self.asked_by}"


def waiting_plans(runs: Place) -> tuple[WaitingPlan, ...]:
    """Plans that nobody has approved yet, oldest first; whether they still fit is checked on approval."""
    plans, store = [], store_of(runs)
    for name in store.names():
        if not name.endswith(".plan.ipynb") or name.startswith("."):
            continue
        with suppress(InputError):
            header = open_run(runs / name).header
            waits = header.waits_for_approval and header.state is RunState.SUCCEEDED
            if waits and store.read(_marker(header.run_id)) is None:
                plans.append(
                    WaitingPlan(
                        header.run_id,
                        header.runbook,
                        header.actor or "",
                        str(header.approval.get("asked_by")),
                        to_rfc3339(header.started_at) or "",
                    )
                )
    return tuple(plans)


def _marker(run_id: str) -> str:
    return f".{run_id}.approved"


def _open(saved: Place) -> tuple[OpenRun, int | None]:
    """The plan, and the account that wrote it; None if it is in a bucket."""
    if not isinstance(saved, Path):
        return open_run(saved), None
    content, owner_uid = _read(saved)
    return OpenRun(saved, content, *read_run(content, saved)), owner_uid


def _read(saved: Path) -> tuple[bytes, int]:
    """The plan's bytes, and the account that wrote them."""
    try:
        with saved.open("rb") as file:
            return file.read(), os.fstat(file.fileno()).st_uid
    except OSError as error:
        raise InputError(f"{str(saved)!r} cannot be read: {error.strerror}") from error


def _requester(header: RunHeader, owner_uid: int | None) -> Person:
    """Who made a plan: the person in its header and, if it is a file, the account that owns the file as well."""
    requester = header.approval.get("requester")
    try:
        owners = set() if owner_uid is None else {owner_uid}
        return Person(frozenset({*owners, *map(int, requester["uids"])}), requester["login_uid"])
    except (TypeError, KeyError, ValueError) as error:
        raise InputError(f"plan {header.run_id} does not say who made it", hint="make a new plan") from error


def _check_seal(plan: OpenRun, runs: Place, *, told_apart: bool) -> str:
    """Refuse a plan that was changed since it was sealed, or that nobody known here has sealed.

    Args:
        told_apart: Whether both logins are known and tell the two people apart. If not, a plan sealed with the approver's own
            key is refused; behind sudo two people may both sign with root's key.

    Returns:
        The name of the key that sealed it.
    """
    run_id, ring = plan.header.run_id, default_ring()
    seal, why_not = look_at_seal(runs, plan.path.name, plan.content, ring=ring)
    if seal is None:
        raise InputError(
            f"plan {run_id} {why_not}",
            hint="ask the person who made it to run `audit seal`, or make a new plan",
        )
    if seal.key not in ring.known():
        raise InputError(
            f"plan {run_id} of {plan.header.actor} is sealed with key {seal.key}, which is not known to you",
            hint="trust it: `ecr-widgets audit key trust FILE --fingerprint F`, with the fingerprint that its owner gives you",
        )
    if seal.key in ring.own() and not told_apart:
        raise InputError(
            f"plan {run_id} is sealed with your own key: you made it and cannot approve it",
            hint="have another person run `approve`",
        )
    if why_not:
        raise InputError(f"plan {run_id} {why_not}", hint="make a new plan")
    return seal.key


def _check_fit(plan: OpenRun, folder: Path, options: RunOptions) -> ApprovedFiles:
    """Make the plan again, and return the files that it examined.

    Raises:
        InputError: The new plan differs.
    """
    with tempfile.TemporaryDirectory(prefix="ecr-widgets-") as scratch:
        again_id = new_run_id()
        saved = Path(scratch) / f"{again_id}-again.ipynb"
        again = execute(replace(_request(plan, again_id, saved, folder, options), plan=True))
    then, now = ([_fact(record) for record in each] for each in (plan.records, again.steps))
    if then == now:
        # From the new plan: the person who made the old one could write anything into its file.
        return ApprovedFiles.of_plan(again.steps)
    where = next(
        (
            f"step {older[0]} would {_would(older)} then and {_would(newer)} now"
            for older, newer in zip(then, now, strict=False)
            if older != newer
        ),
        f"it ends after {len(now)} steps instead of {len(then)}: {again.reason}",
    )
    raise InputError(
        f"plan {plan.header.run_id} no longer fits what exists: {where}",
        hint="look at what changed, then make a new plan",
    )


def _fact(record: StepRecord) -> tuple[str, str, str, bool, str]:
    """A planned step's record, without what differs each time: times and durations."""
    outcome = {name: value for name, value in record.outcome.items() if not name.endswith(("_at", "_s"))}
    return (
        record.step,
        record.state.value,
        json.dumps(record.inputs, sort_keys=True),
        bool(record.changed),
        json.dumps(outcome, sort_keys=True),
    )


def _would(fact: tuple[str, str, str, bool, str]) -> str:
    _, state, _, changed, outcome = fact
    if state == "failed":
        return "fail"
    return f"{'change' if changed else 'find'} {outcome}"


def _use_up(runs: Place, approval: Mapping[str, Any]) -> None:
    """Mark a plan as approved, which only one process can do.

    Raises:
        InputError: It was approved already.

        RunError: The mark cannot be written.
    """
    store, marker = store_of(runs), _marker(approval["plan"])
    try:
        store.put(marker, json.dumps(approval).encode(), replacing=None)
    except Replaced as error:
        earlier: dict[str, Any] = {}
        with suppress(OSError, ValueError, RecursionError, TypeError):
            earlier = json.loads((store.read(marker) or (b"",))[0])
        raise InputError(
            f"plan {approval['plan']} was already approved by {earlier.get('approved_by', 'somebody')}:"
            f" run {earlier.get('run_id', 'unknown')}",
            hint="resume that run by `run --resume`, or make a new plan",
        ) from error
    except OSError as error:
        raise RunError(
            f"the approval cannot be written: {error.strerror}",
            run_id=approval["plan"],
            hint="free some space",
        ) from error
