"""One run for each slot of a schedule, however often and from wherever the scheduler starts it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ecr_widgets.adapters.folder_store import FolderStore
from ecr_widgets.engine.results import OpenRun, open_run
from ecr_widgets.errors import InputError, RunError, TargetBusy
from ecr_widgets.locks import take
from ecr_widgets.model.record import RunState

_RUN_ID = r"\d{8}T\d{6}Z-[0-9a-f]{6}"
_SLOT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,79}", re.ASCII)


def check_slot(slot: str) -> str:
    """Give the slot's name back.

    Raises:
        InputError: It cannot be part of a file's name.
    """
    if not _SLOT.fullmatch(slot):
        raise InputError(
            f"slot {slot!r} refused",
            hint="up to 80 letters, digits and . _ : + -, such as nightly-2026-11-23T03:00Z",
        )
    return slot


def saved_name(run_id: str, runbook: str, *, slot: str | None, plan: bool) -> str:
    """Name of the file of a run."""
    return f"{run_id}-{runbook}{'' if slot is None else f'@{slot}'}{'.plan' if plan else ''}.ipynb"


def find_in_slot(runs: Path, runbook: str, slot: str) -> OpenRun | None:
    """The saved run of a slot, else its plan that waits for an approval; None where it has neither yet.

    Whoever may write to the folder can leave a file of that name. Only one that is sealed as a run of this runbook is
    believed, under a key that is known here, or one of this user's that was killed before it could be sealed; stderr says
    which are not.

    Raises:
        RecordError: The seals cannot be read.
    """
    exactly = re.escape(f"{runbook}@{slot}")
    found = []
    for name in FolderStore(runs).names():
        match = re.fullmatch(rf"(?P<id>{_RUN_ID})-{exactly}(?P<plan>\.plan)?\.ipynb", name)
        if match is not None:
            found.append((match["plan"] is None, runs / name, match["id"]))
    for _, path, run_id in sorted(found, reverse=True):
        try:
            run = open_run(path)
            why_not = _why_not(run, run_id, runbook)
        except InputError as error:
            why_not = error.message
        if not why_not:
            return run
        sys.stderr.write(f"ecr-widgets: {path.name} is not taken for the run of slot {slot}: it {why_not}\n")
    return None


def _why_not(run: OpenRun, run_id: str, runbook: str) -> str:
    header, path = run.header, run.path
    if (header.run_id, header.runbook) != (run_id, runbook):
        return f"says that it is run {header.run_id} of {header.runbook}"
    if header.state is RunState.RUNNING:
        return "" if path.stat().st_uid == os.geteuid() else "is another user's, and unfinished"
    # Who starts a slot for the first time needs neither.
    from ecr_widgets.audit.keys import default_ring
    from ecr_widgets.audit.sealed import look_at_seal

    return look_at_seal(path.parent, path.name, run.content, ring=default_ring()).why_not


def slot_of_plan(saved: Path, run_id: str, runbook: str) -> str | None:
    """The slot for which a plan was made; None where it was made for none."""
    rest = saved.name.removeprefix(f"{run_id}-{runbook}").removesuffix(".plan.ipynb")
    return rest[1:] if rest.startswith("@") else None


@contextmanager
def hold_slot(runs: Path, runbook: str, slot: str) -> Iterator[None]:
    """Keep others of this host out of the slot; the operating system lets go of it with this process.

    Raises:
        TargetBusy: Another process is at work on it.

        RunError: The file that is locked for it cannot be made.
    """
    path = runs / f".{runbook}@{slot}.lock"
    try:
        lease = take(path)
    except OSError as error:
        raise RunError(
            f"slot {slot} of {runbook} cannot be held by {str(path)!r}: {error.strerror}",
            run_id="",
            hint="remove that file, or see to the rights of its folder",
        ) from error
    if lease is None:
        raise TargetBusy(
            f"slot {slot} of {runbook} is being run by another process",
            run_id="",
            holder=f"slot {slot}",
            hint="leave it to that one: a slot is run once",
        )
    with lease:
        yield
