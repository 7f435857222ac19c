"""One run for each slot of a schedule, however often and from wherever the scheduler starts it."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ecr_widgets.errors import InputError, TargetBusy

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
    """
    path = runs / f".{runbook}@{slot}.lock"
    while True:
        held = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it before has removed the file when it was done; then this is no lock any more.
            if path.exists() and path.stat().st_ino == os.fstat(held).st_ino:
                break
        except BlockingIOError as error:
            os.close(held)
            raise TargetBusy(
                f"slot {slot} of {runbook} is being run by another process",
                run_id="",
                holder=f"slot {slot}",
                hint="leave it to that one: a slot is run once",
            ) from error
        os.close(held)
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        os.close(held)
