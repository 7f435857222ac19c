"""One run for each slot of a schedule, however often and from wherever the scheduler starts it."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ecr_widgets.errors import InputError, TargetBusy

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


def find_in_slot(runs: Path, runbook: str, slot: str) -> Path | None:
    """The saved run of a slot, or None where it has none yet."""
    return max(
        (path for path in runs.glob("*.ipynb") if path.name.endswith(f"-{runbook}@{slot}.ipynb")),
        default=None,
    )


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
