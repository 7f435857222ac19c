"""Part B: runs that are killed, stopped, timed out and out of room."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from ecr_widgets.adapters.clock import SystemClock
from ecr_widgets.adapters.locks import FileLocks, Holder
from ecr_widgets.errors import TargetBusy
from ecr_widgets.locks import is_held, lock_of
from tests.faults import forked
from tests.faults.books import BIN, Ran, ours, stock, write_book
from tests.faults.plan import Attempt, CannotRunHere, row

DONE = "print('done')"


def _kernel_killed(at: Attempt, run: Callable[..., Ran]) -> None:
    ran = run(
        at.folder,
        DONE,
        "import os, signal; print('about to', flush=True); os.kill(os.getpid(), signal.SIGKILL)",
        DONE,
    )
    assert ran.exit_code != 0
    assert ran.statuses == ["completed", "failed", "pending"], ran.statuses


@row(17, "SIGKILL of the kernel alone", tries=100, quick=1, control=lambda at: _kernel_killed(at, stock))
def kernel_killed(at: Attempt) -> None:
    """The run has failed because its kernel died, and what never ran is called so."""
    _kernel_killed(at, ours)
    told = Ran(0, "", "", at.folder / "out.ipynb")
    assert told.states == ["succeeded", "failed", "not-run"], told.states
    assert (told.told["state"], "kernel died" in told.told["reason"]) == ("failed", True)


def _timed_out(at: Attempt, run: Callable[..., Ran]) -> None:
    ran = run(
        at.folder,
        DONE,
        "import time; print('waiting', flush=True); time.sleep(60)",
        DONE,
        words=["--execution-timeout", "1"],
    )
    assert ran.exit_code != 0
    assert ran.statuses == ["completed", "failed", "pending"], ran.statuses


@row(18, "a cell that runs longer than it may", tries=100, quick=1, control=lambda at: _timed_out(at, stock))
def timed_out(at: Attempt) -> None:
    """Failed by its timeout, output kept, the rest not run."""
    _timed_out(at, ours)
    told = Ran(0, "", "", at.folder / "out.ipynb")
    assert told.states == ["succeeded", "failed", "not-run"]
    assert told.told["reason"].startswith("timeout")
    assert "waiting" in str(told.cells[1]["outputs"])


# quit() and exit() end no kernel: they ask the front end to, and the cells after them run.
EXITS = ("import sys; sys.exit(0)", "import os; os._exit(0)", "raise SystemExit(0)", "raise SystemExit")


def _left_early(at: Attempt, run: Callable[..., Ran]) -> None:
    ran = run(at.folder, DONE, EXITS[at.seed % len(EXITS)], DONE)
    assert ran.exit_code != 0, "it calls itself a success"
    assert ran.statuses[2] == "pending"


@row(
    25,
    "sys.exit(0), os._exit(0) and their like in a cell",
    tries=20,
    quick=2,
    control=lambda at: _left_early(at, stock),
)
def left_early(at: Attempt) -> None:
    """A run that left early has not succeeded."""
    _left_early(at, ours)
    assert Ran(0, "", "", at.folder / "out.ipynb").told["state"] == "failed"


WAITING = """
import os, subprocess, time
from pathlib import Path
from ecr_widgets.adapters.clock import SystemClock
from ecr_widgets.adapters.locks import FileLocks, Holder
with FileLocks(Path("locks"), Holder("run-1", "here", os.getpid()), SystemClock()).hold("target"):
    subprocess.Popen(["sleep", "300"])
    subprocess.Popen(["sleep", "301"], start_new_session=True)
    subprocess.run(["sh", "-c", "setsid sleep 302 >/dev/null 2>&1 &"])
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", "303"])
print("waiting", flush=True)
time.sleep(300)
"""
"""Children of all kinds, begun while a target is held: in the cell's group, in sessions of their own, with no parent."""
DOORS = ("ecr-widgets", "papermill")


def _start(at: Attempt, door: str, words: list[str | Path]) -> tuple[subprocess.Popen[bytes], Path]:
    """Start a run of a cell that waits with children of its own; wait until they run and it has printed."""
    book = write_book(at.folder, [DONE, WAITING, DONE])
    out = at.folder / "out.ipynb"
    begun: list[str | Path] = {
        "papermill": [
            BIN / "papermill",
            book,
            out,
            *words,
            "--no-progress-bar",
            "--autosave-cell-every",
            "1",
        ],
        "ecr-widgets": [BIN / "ecr-widgets", "run", book, "--runs", at.folder / "runs"],
    }[door]
    process = subprocess.Popen(
        begun,
        env={**os.environ, "FAULTS_MARK": str(at.folder), "TMPDIR": str(at.folder)},
        cwd=at.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: len(marked(at.folder, b"sleep\x0030")) == 4, "the cell never started its children")
    if door == "ecr-widgets":
        (out,) = (at.folder / "runs").glob("*.ipynb")
    time.sleep(at.rng.random())
    return process, out


def until(reached: Callable[[], bool], otherwise: str, *, within_s: float = 60) -> None:
    deadline_s = time.monotonic() + within_s
    while True:
        looked_s = time.monotonic()
        if reached():
            return
        now_s = time.monotonic()
        assert now_s < deadline_s, otherwise
        # A look through all of /proc is not repeated all the time.
        time.sleep(max(0.02, 4 * (now_s - looked_s)))


def marked(folder: Path, command: bytes = b"") -> list[int]:
    """Living processes of this try, by a mark in their environment."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            if f"FAULTS_MARK={folder}".encode() in (each / "environ").read_bytes():
                line = (each / "cmdline").read_bytes()
                if line and command in line:
                    found.append(int(each.name))
        except OSError:
            continue
    return found


def kill_marked(folder: Path) -> None:
    for pid in marked(folder):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _patience_s(at: Attempt) -> float:
    """How long it may take to end: in full tries as long as is said, in others longer than a loaded machine takes."""
    return 5 if at.full else 60


def _stopped(at: Attempt, door: str, words: list[str | Path]) -> None:
    number = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)[at.seed % 3]
    process, out = _start(at, door, words)
    try:
        process.send_signal(number)
        process.wait(timeout=_patience_s(at))
        told = Ran(process.returncode, "", "", out)
        assert told.exit_code == (128 + number if door == "papermill" else 3), told.exit_code
        assert told.states == ["succeeded", "interrupted", "not-run"], told.states
        assert told.told["state"] == "interrupted"
        assert "waiting" in str(told.cells[1]["outputs"])
        assert not is_held(lock_of(out)), "the run is still held"
        assert not marked(at.folder), "somebody outlived the run"
        _take_target(at)
    finally:
        kill_marked(at.folder)
        process.wait()


def _stopped_stock(at: Attempt) -> None:
    try:
        _stopped(at, "papermill", [])
    except (KeyError, subprocess.TimeoutExpired, FileNotFoundError) as error:
        raise AssertionError(str(error)) from error


def _take_target(at: Attempt) -> None:
    """The target that the cell held can be had."""
    try:
        with FileLocks(at.folder / "locks", Holder("run-2", "here", os.getpid()), SystemClock()).hold(
            "target"
        ):
            pass
    except TargetBusy as error:
        raise AssertionError(f"a child has the lock: {error}") from error


@row(
    19, "SIGTERM, SIGINT and SIGHUP to the runner, by both doors", tries=300, quick=1, control=_stopped_stock
)
def stopped(at: Attempt) -> None:
    """Interrupted, output kept, the exit code that is due, nothing held and nobody left, within five seconds.

    The quick profile's one try is of papermill: our command gets each signal in tests/notebooks/test_engine_killed.py.
    """
    _stopped(at, DOORS[at.seed % 2], ["--engine", "ecr_widgets"])


def _orphaned(at: Attempt, door: str, words: list[str | Path], *, within_s: float) -> None:
    process, out = _start(at, door, words)
    try:
        # The cell let go of it, and its children live: they have not inherited it.
        _take_target(at)
        process.kill()
        process.wait()
        until(lambda: not marked(at.folder), "somebody outlived the runner", within_s=within_s)
        json.loads(out.read_text())
        assert not is_held(lock_of(out)), "the run is still held"
    finally:
        kill_marked(at.folder)


@row(
    20,
    "children of a cell, in its group, in sessions of their own and orphaned, after SIGKILL of the runner",
    tries=50,
    quick=1,
    control=lambda at: _orphaned(at, "papermill", [], within_s=1),
)
def orphaned(at: Attempt) -> None:
    """Nobody is alive five seconds later, nobody has inherited a lock, and the file parses."""
    _orphaned(at, DOORS[at.seed % 2], ["--engine", "ecr_widgets"], within_s=_patience_s(at))


TORN = """
import json, os, sys
from pathlib import Path
sys.path.insert(0, {root!r})
notebook = {{"cells": [], "metadata": {{"texts": ["x" * 1000] * 8000}}, "nbformat": 4, "nbformat_minor": 5}}
path = Path({path!r})
{writer}
print("ready", flush=True)
while True:
    write()
"""
SAFE = """
from ecr_widgets.engine.saved_run import SavedRun
saved = SavedRun(notebook, path, redact=dict).__enter__()
write = saved.write
"""
UNSAFE = """
def write():
    with path.open("w") as file:
        json.dump(notebook, file)
"""


def _torn(at: Attempt, writer: str) -> None:
    import sys

    path = at.folder / "run.ipynb"
    # Several kills a try: each hits another moment.
    for _ in range(5 if at.full else 2):
        code = TORN.format(root=str(Path(__file__).parents[3]), path=str(path), writer=writer)
        with forked.start([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.05 + at.rng.random() / 5)
            process.kill()
        if path.exists():
            try:
                json.loads(path.read_text())
            except ValueError as error:
                raise AssertionError(f"torn: {path.stat().st_size} bytes") from error


def _torn_run(at: Attempt, words: list[str]) -> None:
    book, out = write_book(at.folder, [DONE, DONE, DONE]), at.folder / "out.ipynb"
    notebook = json.loads(book.read_text())
    size_mb = 40 if at.full else 10
    notebook["metadata"]["texts"] = ["x" * 1000] * 1000 * size_mb
    book.write_text(json.dumps(notebook))
    # Ours writes at its begin and end, and papermill once more.
    wanted = at.rng.randint(1, 3)
    with subprocess.Popen(
        [BIN / "papermill", book, out, *words, "--no-progress-bar"],
        cwd=at.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        writes, writing = 0, False
        while process.poll() is None and writes < wanted:
            was, writing = writing, _is_written(out, size_mb)
            writes += writing and not was
            time.sleep(0.001)
        time.sleep(at.rng.random() / 50)
        process.kill()
    try:
        json.loads(out.read_text()) if out.exists() else None
    except ValueError as error:
        raise AssertionError(f"torn: {out.stat().st_size} bytes, in write {wanted}") from error


def _is_written(out: Path, size_mb: int) -> bool:
    """Whether the file is short of what it was, or a new one is being made beside it."""
    try:
        short = out.stat().st_size < size_mb * 1_000_000
    except FileNotFoundError:
        short = False
    return short or any(out.parent.glob(f".{out.name}.*.tmp"))


def _torn_by_others(at: Attempt) -> None:
    try:
        _torn(at, UNSAFE)
    except AssertionError:
        # A kill that lands beside a write tears nothing.
        for _ in range(8):
            _torn_run(at, [])


@row(
    21,
    "SIGKILL while an 8 MB notebook is rewritten, five times a try, and while papermill saves a run of 40 MB",
    tries=60,
    quick=1,
    control=_torn_by_others,
)
def torn(at: Attempt) -> None:
    """The file is the old or the new one, never a piece."""
    _torn(at, SAFE)
    _torn_run(at, ["--engine", "ecr_widgets"])


def _full(at: Attempt, run: Callable[..., Ran]) -> None:
    disk = at.folder / "disk"
    disk.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], capture_output=True, check=False
    )
    if done.returncode:
        raise CannotRunHere("a file system of its own needs the right to mount one")
    try:
        mark = at.folder / "changed"
        from tests.faults.books import RECORDER

        fill = (
            "import os\n"
            "with open('filler', 'wb', buffering=0) as f:\n"
            "    size = 1 << 20\n"
            "    while size:\n"
            "        try: f.write(b'x' * size)\n"
            "        except OSError: size //= 2\n"
        )
        flood = f"print('y' * {at.rng.randint(300_000, 900_000)})"
        act = (
            f"from pathlib import Path\ndef act(_): Path({str(mark)!r}).touch()\n"
            "recorder.perform('create_deploy', {}, act)"
            if run is ours
            else f"open({str(mark)!r}, 'w').close()"
        )
        ran = run(disk, RECORDER if run is ours else DONE, fill, flood, act)
        try:
            told = ran.saved
        except ValueError as error:
            raise AssertionError("the saved file is torn") from error
        recorded = "create_deploy" in str(told) if run is ours else False
        assert recorded or not mark.exists(), "something was changed that is not recorded"
        assert ran.exit_code != 0 or (recorded and '"succeeded"' in str(told))
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


@row(
    22, "a disk that fills up in the middle of a run", tries=140, quick=2, control=lambda at: _full(at, stock)
)
def full(at: Attempt) -> None:
    """The file parses, and nothing is changed that it does not record."""
    _full(at, ours)


def _out_of_memory(at: Attempt, run: Callable[..., Ran]) -> None:
    # The system's own killer cannot be had without a group of processes; what it does to the kernel is this signal.
    source = (
        "import os, resource, signal\n"
        "resource.setrlimit(resource.RLIMIT_AS, (700 << 20, 700 << 20))\n"
        "try:\n    held = [bytes(64 << 20) for _ in range(100)]\n"
        "except MemoryError:\n    os.kill(os.getpid(), signal.SIGKILL)"
    )
    ran = run(at.folder, DONE, source, DONE)
    assert ran.exit_code != 0
    assert ran.statuses == ["completed", "failed", "pending"], ran.statuses


@row(
    24,
    "a cell that takes more memory than there is",
    tries=20,
    quick=1,
    control=lambda at: _out_of_memory(at, stock),
)
def out_of_memory(at: Attempt) -> None:
    """As when the kernel is killed: failed, and what never ran is called so."""
    _out_of_memory(at, ours)
    assert "kernel died" in Ran(0, "", "", at.folder / "out.ipynb").told["reason"]
