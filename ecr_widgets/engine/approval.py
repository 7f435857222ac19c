"""A second person's yes: the run stops at its plan, and is carried out only while that plan still fits what is there."""

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
    """Let a plan go on: look once more whether it fits, then run its cells with its parameters, as a run of its own.

    Args:
        run_id: The plan that waits.

    Raises:
        InputError: No such plan, it needs no approval or has one, this person made it or cannot be told, it is sealed by
            nobody known here, its file was changed since, or it no longer fits what is there; nothing was changed.

        TargetBusy: It was made for a slot that another process is at work on.
    """
    saved = find_run(run_id, runs)
    # Read once: what is looked at here is what runs.
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
    # Accounts of another host have numbers of their own: there the keys alone say who is who.
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
    if not folder.is_dir():
        raise InputError(f"the folder {str(folder)!r} of plan {run_id} is gone", hint="make a new plan")
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
    """A run of a plan's own cells with its parameters."""
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
    """A plan that another person may let go on."""

    run_id: str
    runbook: str
    requested_by: str
    asked_by: str
    started_at: str

    def __str__(self) -> str:
        return f"{self.run_id}: {self.runbook}, planned by {self.requested_by}; {self.asked_by} asks"


def waiting_plans(runs: Place) -> tuple[WaitingPlan, ...]:
    """Plans in the folder that nobody approved yet, oldest first; whether they still fit is looked at on approval."""
    found, store = [], store_of(runs)
    for name in store.names():
        if not name.endswith(".plan.ipynb") or name.startswith("."):
            continue
        with suppress(InputError):
            header = open_run(runs / name).header
            waits = header.waits_for_approval and header.state is RunState.SUCCEEDED
            if waits and store.read(_marker(header.run_id)) is None:
                found.append(
                    WaitingPlan(
                        header.run_id,
                        header.runbook,
                        header.actor or "",
                        str(header.approval.get("asked_by")),
                        to_rfc3339(header.started_at) or "",
                    )
                )
    return tuple(found)


def _marker(run_id: str) -> str:
    return f".{run_id}.approved"


def _open(saved: Place) -> tuple[OpenRun, int | None]:
    """The plan, and the account that wrote it; None where it is in a bucket."""
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
    """Who made a plan: what its seal vouches for, and where it is a file in any case the account that that belongs to."""
    told = header.approval.get("requester")
    try:
        owners = set() if owner_uid is None else {owner_uid}
        return Person(frozenset({*owners, *map(int, told["uids"])}), told["login_uid"])
    except (TypeError, KeyError, ValueError) as error:
        raise InputError(f"plan {header.run_id} does not say who made it", hint="make a new plan") from error


def _check_seal(plan: OpenRun, runs: Place, *, told_apart: bool) -> str:
    """Refuse a plan that was changed since it was sealed, or that nobody known here has sealed.

    Args:
        told_apart: Whether the logins of both tell the two apart. Else a plan under one's own key is one's own; behind sudo
            two people may sign with root's.

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
    """Make the plan once more, and give back which files it looked at.

    Raises:
        InputError: It is another one now.
    """
    with tempfile.TemporaryDirectory(prefix="ecr-widgets-") as scratch:
        again_id = new_run_id()
        saved = Path(scratch) / f"{again_id}-again.ipynb"
        again = execute(replace(_request(plan, again_id, saved, folder, options), plan=True))
    then, now = ([_fact(record) for record in each] for each in (plan.records, again.steps))
    if then == now:
        # As they were just seen: whoever made the plan could write anything into its file.
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
    """What a planned step says, without what differs from look to look: times and durations."""
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
    """Have a plan approved once, whoever else tries at the same moment."""
    store, marker = store_of(runs), _marker(approval["plan"])
    try:
        store.put(marker, json.dumps(approval).encode(), replacing=None)
    except Replaced as error:
        earlier: dict[str, Any] = {}
        with suppress(OSError, ValueError, RecursionError, TypeError):
            earlier = json.loads((store.read(marker) or (b"",))[0])
        raise InputError(
            f"plan {approval['plan']} was approved already, by {earlier.get('approved_by', 'somebody')}:"
            f" run {earlier.get('run_id', 'unknown')}",
            hint="resume that run by `run --resume`, or make a new plan",
        ) from error
    except OSError as error:
        raise RunError(
            f"the approval cannot be written: {error.strerror}", run_id=approval["plan"], hint="make room"
        ) from error
