"""Locks on targets that the operating system frees when their holder exits: flock on files of this user.

They keep apart the runs of one user on one host. To guard against other hosts and users, the steps look at the server
before they change it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ecr_widgets.errors import SettingsError, TargetBusy
from ecr_widgets.model.times import to_rfc3339
from ecr_widgets.model.user_folders import state_folder
from ecr_widgets.ports import Clock
from ecr_widgets.ports.locks import AlwaysHeld, Lease

_POLL_S = 0.2
_LONGEST_NOTE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that asks for a lock."""

    run_id: str
    host: str
    pid: int


class FileLocks:
    """Implements `ports.Locks`.

    Args:
        folder: Folder of the locks; created for this user alone if it does not exist.

        wait_s: How long to wait for a busy target, in seconds.

        until_exit: Whether a lock, once taken, is kept until this process ends.
    """

    def __init__(
        self, folder: Path, holder: Holder, clock: Clock, *, wait_s: float = 0.0, until_exit: bool = False
    ) -> None:
        self._folder = folder
        self._holder = holder
        self._clock = clock
        self._wait_s = wait_s
        self._until_exit = until_exit
        self._held: dict[str, int] = {}
        # A child forked without an exec would keep the lock after this process ends.
        os.register_at_fork(after_in_child=self._forget)

    @contextmanager
    def hold(self, target: str) -> Iterator[Lease]:
        if target in self._held:
            yield AlwaysHeld()
            return
        self._held[target] = self._take(target)
        try:
            yield AlwaysHeld()
        finally:
            if not self._until_exit:
                os.close(self._held.pop(target))

    def _take(self, target: str) -> int:
        lock = self._open(target)
        try:
            self._wait_for(lock, target)
            note = {"target": target, "run_id": self._holder.run_id, "host": self._holder.host}
            note |= {"pid": str(self._holder.pid), "since": to_rfc3339(self._clock.now())}
            os.ftruncate(lock, 0)
            os.pwrite(lock, json.dumps(note).encode(), 0)
        except OSError as error:
            os.close(lock)
            raise SettingsError(
                f"the lock of {target} in {str(self._folder)!r} cannot be written: {error.strerror}",
                hint="free some space there, or set XDG_STATE_HOME",
            ) from error
        except BaseException:
            os.close(lock)
            raise
        return lock

    def _wait_for(self, lock: int, target: str) -> None:
        deadline_s = self._clock.monotonic_s() + self._wait_s
        while not _locked(lock):
            if self._clock.monotonic_s() >= deadline_s:
                holder = _read_note(lock)
                raise TargetBusy(
                    f"{target} is busy: {holder} holds it",
                    run_id=self._holder.run_id,
                    holder=holder,
                    hint="let it end, or wait for it: `--wait-if-busy SECONDS`, in a notebook connect(wait_s=SECONDS)",
                )
            self._clock.sleep(_POLL_S)

    def _open(self, target: str) -> int:
        name = hashlib.sha256(target.encode()).hexdigest()[:32]
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                self._check(folder, "folder of locks")
                lock = os.open(
                    f"{name}.lock",
                    os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK,
                    0o600,
                    dir_fd=folder,
                )
            finally:
                os.close(folder)
        except OSError as error:
            raise SettingsError(
                f"the lock of {target} in {str(self._folder)!r} cannot be opened: {error.strerror}",
                hint="remove what is there, or set XDG_STATE_HOME",
            ) from error
        try:
            self._check(lock, f"lock of {target}")
        except SettingsError:
            os.close(lock)
            raise
        return lock

    def _check(self, handle: int, what: str) -> None:
        """Refuse a file that another user owns or may write to, or that has a second hard link."""
        status = os.fstat(handle)
        is_folder = stat.S_ISDIR(status.st_mode)
        if (
            status.st_uid != os.geteuid()
            or status.st_mode & 0o022
            or not (is_folder or stat.S_ISREG(status.st_mode))
            or (status.st_nlink != 1 and not is_folder)
        ):
            raise SettingsError(
                f"the {what} in {str(self._folder)!r} must be owned and writable by this user alone",
                hint="remove it, or set XDG_STATE_HOME to your own folder",
            )

    def _forget(self) -> None:
        for lock in self._held.values():
            with suppress(OSError):
                os.close(lock)
        self._held.clear()


def lock_folder(environ: Mapping[str, str]) -> Path:
    """The folder of this user's locks."""
    return state_folder(environ) / "locks"


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        # Some network file systems do not support locks, or run out of them.
        raise SettingsError(
            f"the file system of the lock folder refuses locks: {error.strerror}",
            hint="set XDG_STATE_HOME to a folder on a local disk",
        ) from error
    return True


def _read_note(lock: int) -> str:
    with suppress(ValueError, KeyError, TypeError, OSError):
        note = json.loads(os.pread(lock, _LONGEST_NOTE_BYTES, 0))
        return f"run {note['run_id']} on {note['host']} (process {note['pid']}) since {note['since']}"
    return "a run that has just begun"
