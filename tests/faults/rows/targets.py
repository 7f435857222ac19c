"""Part D: runs at the same time on the same target."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from itertools import pairwise

from ecr_widgets.audit.judging import Verdict, judge
from tests.faults import forked
from tests.faults.plan import Attempt, row
from tests.faults.rows.crashes import kill_marked, until
from tests.faults.rows.replies import environ_of, made, moves, released, short_name, tidy, words_of
from tests.holding import hooked
from tests.reading import read_file

# Reads what stands, waits, and writes one more: what another writes in between would be lost.
HOLDER = """
import os, sys, time
from pathlib import Path
from contextlib import contextmanager, nullcontext
from ecr_widgets.adapters.clock import SystemClock
from ecr_widgets.adapters.locks import FileLocks, Holder
folder, name, guard, killed = Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4] == "killed"
locks = FileLocks(folder / "locks", Holder(name, "host", os.getpid()), SystemClock(), wait_s=float(sys.argv[5]))
service = folder / "service"

@contextmanager
def by_existence(_):
    # What scripts do: whoever can make the file holds it.
    deadline_s = time.monotonic() + float(sys.argv[5])
    while True:
        try:
            (folder / "taken").touch(exist_ok=False)
            break
        except FileExistsError:
            if time.monotonic() > deadline_s: sys.exit(5)
            time.sleep(0.05)
    try:
        yield
    finally:
        (folder / "taken").unlink()

guards = {"flock": locks.hold, "file": by_existence, "none": lambda _: nullcontext()}
print("ready", flush=True); sys.stdin.readline()
with guards[guard]("service"):
    print("held", flush=True)
    standing = service.read_text().split() if service.exists() else []
    time.sleep(0.02)
    if killed: time.sleep(600)
    service.write_text(" ".join([*standing, name]))
"""


def _start(
    at: Attempt, name: str, guard: str, *, killed: bool = False, wait_s: float = 90
) -> subprocess.Popen[str]:
    """A process that is ready to take the target, and does when it gets a line."""
    words = [at.folder, name, guard, "killed" if killed else "lives", str(wait_s)]
    process = forked.start(
        [sys.executable, "-c", HOLDER, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def _go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def _at_once(at: Attempt, guard: str, count: int) -> None:
    names = [f"run-{number}" for number in range(count)]
    runs = [_start(at, name, guard) for name in names]
    for each in runs:
        _go(each)
    for each in runs:
        each.communicate(timeout=120)
    done = (at.folder / "service").read_text().split()
    assert sorted(done) == sorted(names), f"{count - len(set(done))} of {count} changes were lost"


def _runs_at_once(at: Attempt) -> None:
    """Whole runs that bring one service to deploys of their own, by Layer0's journal."""
    name = short_name(at)
    released(at, name)
    runs = []
    for number in range(3):
        container = {"name": "timeout", "image": "x", "memory": 20 + number}
        path = at.folder / f"{number}.json"
        path.write_text(json.dumps({"containerDefinitions": [container]}))
        words = [*words_of(at, name), "-p", "dockerrun", str(path), "--wait", "240"]
        runs.append(
            forked.start(
                words,
                env=environ_of(at),
                cwd=at.folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    said = [(each.communicate(), each.returncode) for each in runs]
    for (told, talk), code in said:
        assert code == 0, f"{code}: {talk[-300:]} {told[-300:]}"
    # Each held the service until its end: what it changed, it proved before another changed it.
    held = []
    for (told, _), _code in said:
        steps = {step["step"]: step for step in json.loads(told)["steps"]}
        held.append((steps["update_service"]["started_at"], steps["verify"]["ended_at"]))
    held.sort()
    assert all(one[1] <= other[0] for one, other in pairwise(held)), "two were at work at once"
    assert (made(at.sandbox(), name), moves(at.sandbox(), name)) == ((4, 1), 3)
    tidy(at, name)


@row(
    47,
    "2, 8 and 32 processes that change one target at once; in every tenth try three whole runs on one service",
    tries=150,
    quick=3,
    control=lambda at: _at_once(at, "none", 8),
)
def at_once(at: Attempt) -> None:
    """One at a time, and no change is lost; each run gets its turn, in one piece from its change to its proof."""
    if at.seed % 10 == 3:
        _runs_at_once(at)
    else:
        _at_once(at, "flock", (2, 8, 32)[at.seed % 3])


def _after_kill(at: Attempt, guard: str) -> None:
    """The holder is killed while another waits, and a third comes later."""
    holder = _start(at, "holder", guard, killed=True)
    waiter = _start(at, "waiter", guard, wait_s=20 if guard == "flock" else 1)
    late = _start(at, "late", guard, wait_s=0)
    try:
        _go(holder)
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        _go(waiter)
        time.sleep(at.rng.random() / 5)
        holder.kill()
        holder.wait()
        waiter.communicate(timeout=60)
        assert waiter.returncode == 0, "who waited is kept out by a lock that nobody holds"
        _go(late)
        late.communicate(timeout=60)
        assert late.returncode == 0, "the target is busy, and nobody holds it"
        assert (at.folder / "service").read_text().split() == ["waiter", "late"]
    finally:
        for each in (holder, waiter, late):
            each.kill()
            each.communicate()


def _holding_run_killed(at: Attempt) -> None:
    """A whole run is killed while it holds its service and another waits: that one looks first, then goes on."""
    name = short_name(at)
    place = at.folder / "create_service.acted"
    hook = hooked(at.folder, place) | {"FAULTS_MARK": str(at.folder)}
    words = {"env": environ_of(at), "cwd": at.folder, "stderr": subprocess.DEVNULL}
    first = subprocess.Popen(
        words_of(at, name), **words | {"env": environ_of(at) | hook}, stdout=subprocess.DEVNULL
    )
    second = None
    try:
        until(place.exists, "no service was ever made")
        second = forked.start([*words_of(at, name), "--wait", "120"], **words, stdout=subprocess.PIPE)
        until(lambda: len(list((at.folder / "runs").glob("*.ipynb"))) == 2, "nobody waits")
        first.kill()
        first.wait()
        told, _ = second.communicate(timeout=180)
    finally:
        kill_marked(at.folder)
        for each in (first, second):
            if each is not None:
                each.kill()
                each.wait()
    assert second.returncode == 0, told[-500:]
    path = min((at.folder / "runs").glob("*.ipynb"))
    assert judge(read_file(path)).verdict is Verdict.INTERRUPTED
    changed = [step["step"] for step in json.loads(told)["steps"] if step["changed"]]
    assert changed == [], f"done again: {changed}"
    assert made(at.sandbox(), name) == (1, 1), made(at.sandbox(), name)
    tidy(at, name)


@row(
    48,
    "SIGKILL of the holder while another waits; in every tenth try, of a whole run",
    tries=100,
    quick=3,
    control=lambda at: _after_kill(at, "file"),
)
def after_kill(at: Attempt) -> None:
    """The target is free at once, who waits looks first and does nothing twice, and the file says interrupted."""
    if at.seed % 10 == 3:
        _holding_run_killed(at)
    else:
        _after_kill(at, "flock")


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
    assert victim.read_text() == "untouched", f"what the {trap} led to was written"


@row(51, "traps in the place of a lock", tries=30, quick=6, control=lambda at: _trapped(at, careful=False))
def trapped(at: Attempt) -> None:
    """Refused, and nothing outside is touched."""
    _trapped(at, careful=True)
