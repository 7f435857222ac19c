"""Locks on targets, with real files and real processes."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ecr_widgets.adapters.clock import SystemClock
from ecr_widgets.adapters.locks import FileLocks, Holder
from ecr_widgets.errors import SettingsError, TargetBusy
from tests.fakes import FakeClock, World

HOLD = """
import sys, time
from pathlib import Path
from ecr_widgets.adapters.clock import SystemClock
from ecr_widgets.adapters.locks import FileLocks, Holder
with FileLocks(Path(sys.argv[1]), Holder("run-1", "host-1", 4711), SystemClock()).hold("target"):
    print("held", flush=True)
    {then}
    sys.stdin.read()
"""


def locks(folder: Path, *, wait_s: float = 0.0, until_exit: bool = False) -> FileLocks:
    return FileLocks(
        folder, Holder("run-2", "host-2", 4712), SystemClock(), wait_s=wait_s, until_exit=until_exit
    )


@contextmanager
def holder(folder: Path, then: str = "pass") -> Iterator[subprocess.Popen[str]]:
    """A process that holds the target until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD.format(then=then), folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_busy_target_names_its_holder(tmp_path: Path) -> None:
    """A busy target's error has the holder's run, host, process and start time; another target is free."""
    with holder(tmp_path / "locks"):
        with locks(tmp_path / "locks").hold("another"):
            pass
        with (
            pytest.raises(TargetBusy, match=r"run run-1 on host-1 \(process 4711\) since 20"),
            locks(tmp_path / "locks").hold("target"),
        ):
            pass


def test_a_killed_holder_frees_its_target_at_once(tmp_path: Path) -> None:
    """A killed process frees its target, even if it left a child that was forked while it held the lock."""
    then = "import os; os.fork() or (print('child', flush=True), sys.stdin.read(), os._exit(0))"
    with holder(tmp_path / "locks", then) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "child\n"  # the child has released its inherited lock
        process.send_signal(signal.SIGKILL)
        process.wait()
        with locks(tmp_path / "locks").hold("target"):
            pass


def test_a_waiter_gets_the_target_when_it_is_free(tmp_path: Path) -> None:
    """Waiting for a busy target ends after the given time, and a freed target can be taken."""
    world = World()
    clock = FakeClock(world)
    with holder(tmp_path / "locks"):
        waiting = FileLocks(tmp_path / "locks", Holder("run-2", "host-2", 1), clock, wait_s=5.0)
        with pytest.raises(TargetBusy), waiting.hold("target"):
            pass
        assert 5.0 <= clock.monotonic_s() < 6.0
    with waiting.hold("target"):
        pass


def test_a_lock_that_is_kept_until_exit_outlives_its_context(tmp_path: Path) -> None:
    """With `until_exit` a lock is kept after its context; otherwise it is released there."""
    first = locks(tmp_path / "locks", until_exit=True)
    with first.hold("target"), first.hold("target"):
        pass
    with pytest.raises(TargetBusy), locks(tmp_path / "locks").hold("target"):
        pass
    second = locks(tmp_path / "locks")
    with second.hold("other"):
        pass
    with locks(tmp_path / "locks").hold("other"):
        pass


@pytest.mark.parametrize("trap", ["symlink", "hard link", "fifo", "folder for all", "linked folder"])
def test_a_trap_in_the_locks_place_is_refused(tmp_path: Path, trap: str) -> None:
    """A link, a FIFO or a shared folder in the lock's place is refused, and nothing is written through it."""
    folder, victim = tmp_path / "locks", tmp_path / "victim"
    victim.write_text("untouched")
    with locks(folder).hold("target"):
        pass
    (lock,) = folder.iterdir()
    if trap == "folder for all":
        folder.chmod(0o777)
    elif trap == "linked folder":
        folder.rename(tmp_path / "elsewhere")
        folder.symlink_to(tmp_path / "elsewhere")
    else:
        lock.unlink()
        {"symlink": lock.symlink_to, "hard link": lock.hardlink_to, "fifo": lambda _: os.mkfifo(lock)}[trap](
            victim
        )
    with pytest.raises(SettingsError), locks(folder).hold("target"):
        pass
    assert victim.read_text() == "untouched"


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_folder_that_cannot_be_locked_in_is_named_with_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """If the file system has no locks, the target is not held, and the error suggests XDG_STATE_HOME."""

    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(SettingsError, match="refuses locks") as failed, locks(tmp_path).hold("target"):
        pytest.fail("it was let in")
    assert "XDG_STATE_HOME" in (failed.value.hint or "")


def test_a_lock_on_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the holder's note finds no room, the error names the folder, and the lock is free again."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(SettingsError, match=f"of target in '{tmp_path}' cannot be written: No space left"):
        locks(tmp_path).hold("target").__enter__()
    monkeypatch.undo()
    with locks(tmp_path).hold("target"):
        pass
