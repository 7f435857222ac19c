"""Locks that the operating system frees with their holder, and files, in folders that several users of a host may share.

What one of them writes the others may, as the folder says.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from pathlib import Path
from types import TracebackType

_PAUSE_S = 0.01
_BY_CLASS = ((0o020, 0o060), (0o002, 0o006))
"""For the group and for others: may write to the folder; may read and write the file."""


def open_shared(path: Path, *, is_lock: bool = False) -> int:
    """Open a file for reading and writing; made if it does not exist, for all who may write to its folder.

    Args:
        is_lock: Whether whoever may merely read must not open it: a lock can be held by all who can.

    Raises:
        OSError: It cannot be made or opened.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    while True:
        # By itself: in a folder such as /tmp Linux refuses another user's file where it is asked to make it.
        with contextlib.suppress(FileNotFoundError):
            return os.open(path, flags)
        try:
            handle = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600 if is_lock else 0o666)
        except FileExistsError:
            continue
        try:
            _share(handle, path.parent)
        except BaseException:
            os.close(handle)
            raise
        return handle


class Lease:
    """A lock that this process holds; release it, or use it as a context manager."""

    def __init__(self, path: Path, handle: int) -> None:
        self._path = path
        self._handle = handle

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    @property
    def is_held(self) -> bool:
        """Whether it is still the lock: nobody has removed its file, or put another in its place."""
        try:
            return self._path.stat().st_ino == os.fstat(self._handle).st_ino
        except OSError:
            return False

    @property
    def lost_to(self) -> str:
        """Who holds it now."""
        return "another process holds it by now"

    def release(self) -> None:
        """Remove the lock's file, then let go of it."""
        with contextlib.suppress(OSError):
            if self.is_held:
                self._path.unlink()
        with contextlib.suppress(OSError):
            os.close(self._handle)
        # Its number may be another file's from now on.
        self._handle = -1


def lock_of(path: Path) -> Path:
    """The lock beside a file: while somebody holds it, they are at work on the file."""
    return path.with_name(f".{path.name}.lock")


def take(lock: Path, *, patience_s: float = 0.0) -> Lease | None:
    """Take a lock; None where somebody else has it. One that cannot be opened is another user's, and counts as held.

    Args:
        patience_s: How long to try.

    Raises:
        OSError: The file cannot be made.
    """
    deadline_s = time.monotonic() + patience_s
    while True:
        lease = _try(lock)
        if lease is not None or time.monotonic() >= deadline_s:
            return lease
        time.sleep(_PAUSE_S)


def is_held(lock: Path) -> bool:
    """Whether somebody holds a lock, or may: one that cannot be opened is another user's."""
    try:
        handle = os.open(lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def _try(lock: Path) -> Lease | None:
    try:
        handle = open_shared(lock, is_lock=True)
    except PermissionError:
        if os.path.lexists(lock):
            return None
        raise
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever held it before has removed the file when it was done; then this is no lock any more.
        if (lease := Lease(lock, handle)).is_held:
            return lease
    except BlockingIOError:
        pass
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None


def _share(handle: int, folder: Path) -> None:
    """Let those who may write to the folder read and write a file in it; in one like /tmp each keeps to their own."""
    of_folder = folder.stat()
    if of_folder.st_mode & stat.S_ISVTX:
        return
    if of_folder.st_mode & 0o020 and os.fstat(handle).st_gid != of_folder.st_gid:
        # Where this user is not in that group, the file stays with their own.
        with contextlib.suppress(OSError):
            os.fchown(handle, -1, of_folder.st_gid)
    found = os.fstat(handle)
    mode = stat.S_IMODE(found.st_mode)
    for writes, both in _BY_CLASS:
        if of_folder.st_mode & writes and (writes == 0o002 or found.st_gid == of_folder.st_gid):
            mode |= both
    # Some file systems have no rights to set.
    with contextlib.suppress(OSError):
        os.fchmod(handle, mode)
