"""One run for each slot of a schedule, however often and from wherever the scheduler starts it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ecr_widgets.engine.lock_files import hold_file
from ecr_widgets.errors import InputError, RunError, TargetBusy

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


def find_in_slot(runs: Path, runbook: str, slot: str) -> Path | None:
    """The saved run of a slot, else its plan that waits for an approval; None where it has neither yet."""
    exactly = re.escape(f"{runbook}@{slot}")
    found = [
        (match["plan"] is None, path)
        for path in runs.glob("*.ipynb")
        if (match := re.fullmatch(rf"{_RUN_ID}-{exactly}(?P<plan>\.plan)?\.ipynb", path.name)) is not None
    ]
    return max(found)[1] if found else None


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
        held = hold_file(path)
    except OSError as error:
        raise RunError(
            f"slot {slot} of {runbook} cannot be held by {str(path)!r}: {error.strerror}",
            run_id="",
            hint="remove that file, or see to the rights of its folder",
        ) from error
    if held is None:
        raise TargetBusy(
            f"slot {slot} of {runbook} is being run by another process",
            run_id="",
            holder=f"slot {slot}",
            hint="leave it to that one: a slot is run once",
        )
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        os.close(held)
