"""Part D: runs at the same time on the same target."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from tests.faults.plan import Attempt, row

# Each adds its mark twice with a pause between; what another writes in between would show.
HOLDER = """
import os, sys, time
from pathlib import Path
from contextlib import nullcontext
from ecr_widgets.adapters.clock import SystemClock
from ecr_widgets.adapters.locks import FileLocks, Holder
folder, name, guarded = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "guarded"
locks = FileLocks(folder / "locks", Holder(name, "host", os.getpid()), SystemClock(), wait_s=60)
print("ready", flush=True); sys.stdin.readline()
with locks.hold("service") if guarded else nullcontext():
    for _ in range(2):
        with open(folder / "journal", "a") as journal: journal.write(name + "\\n")
        time.sleep(0.02)
    if name == sys.argv[4]: os.kill(os.getpid(), 9)
"""


def _at_once(at: Attempt, guard: str, *, killed: str = "") -> None:
    count = (2, 8, 16)[at.seed % 3]
    names = [f"run-{number}" for number in range(count)]
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", HOLDER, at.folder, name, guard, killed],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    for each in runs:
        assert each.stdout is not None
        each.stdout.readline()
    for each in runs:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    for each in runs:
        each.communicate(timeout=90)
    journal = (at.folder / "journal").read_text().split()
    assert sorted(journal) == sorted(names * 2), "somebody never got his turn"
    pairs = list(zip(journal[::2], journal[1::2], strict=True))
    assert all(one == other for one, other in pairs), "two were at work at once"


@row(
    47, "2, 8 and 16 runs on one target at once", tries=150, quick=3, control=lambda at: _at_once(at, "free")
)
def at_once(at: Attempt) -> None:
    """One at a time, and each gets its turn."""
    _at_once(at, "guarded")


def _after_kill(at: Attempt, stale: str) -> None:
    folder = at.folder / "locks"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, at.folder, "run-0", "guarded", "run-0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdout.readline()
        holder.stdin.write(b"\n")
        holder.stdin.flush()
        holder.wait()
    assert holder.returncode == -9
    if stale == "file":
        # What a lock by a file's mere existence would make of it.
        assert not list(folder.glob("*.lock")), "the lock is still there"
        return
    from ecr_widgets.adapters.clock import SystemClock
    from ecr_widgets.adapters.locks import FileLocks, Holder
    from ecr_widgets.errors import TargetBusy

    started_s = time.monotonic()
    try:
        with FileLocks(folder, Holder("next", "host", os.getpid()), SystemClock()).hold("service"):
            pass
    except TargetBusy as error:
        raise AssertionError(str(error)) from error
    assert time.monotonic() - started_s < 5


@row(48, "SIGKILL of the holder", tries=100, quick=3, control=lambda at: _after_kill(at, "file"))
def after_kill(at: Attempt) -> None:
    """The target is free at once."""
    _after_kill(at, "")


def _trapped(at: Attempt, *, careful: bool) -> None:
    from ecr_widgets.adapters.clock import SystemClock
    from ecr_widgets.adapters.locks import FileLocks, Holder
    from ecr_widgets.errors import SettingsError

    folder, victim = at.folder / "locks", at.folder / "victim"
    victim.write_text("untouched")
    locks = FileLocks(folder, Holder("run", "host", os.getpid()), SystemClock())
    with locks.hold("service"):
        pass
    (lock,) = folder.iterdir()
    lock.unlink()
    trap = ("symlink", "hard link", "folder for all")[at.seed % 3] if careful else "symlink"
    if trap == "symlink":
        lock.symlink_to(victim)
    elif trap == "hard link":
        lock.hardlink_to(victim)
    else:
        folder.chmod(0o777)
    if careful:
        try:
            with locks.hold("service"):
                pass
        except SettingsError:
            pass
        else:
            raise AssertionError(f"{trap} was taken")
    else:
        lock.write_text("{}")
    assert victim.read_text() == "untouched"


@row(51, "traps in the place of a lock", tries=30, quick=6, control=lambda at: _trapped(at, careful=False))
def trapped(at: Attempt) -> None:
    """Refused, and nothing outside is touched."""
    _trapped(at, careful=True)
