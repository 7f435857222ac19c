"""Locks that the operating system frees when their holder exits, and files, in folders that several users may share.

A file that one user writes the others may write too, as far as the folder's permissions allow.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from pathlib import Path

_PAUSE_S = 0.01
_BY_CLASS = ((0o020, 0o060), (0o002, 0o006))
"""For group and others: the folder's write bit, and the file's read and write bits."""


def open_shared(path: Path, *, is_lock: bool = False) -> int:
    """Open a file for reading and writing. A new file can be used by everybody who may write to its folder.

    Args:
        is_lock: Whether to keep read-only users from opening it: everybody who can open a lock can hold it.

    Raises:
        OSError: It cannot be created or opened.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    while True:
        # Without O_CREAT first: in a folder such as /tmp Linux refuses to open another user's file with it.
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

    def __exit__(self, *_: object) -> None:
        self.release()

    @property
    def is_held(self) -> bool:
        """Whether it is still the lock: nobody has removed or replaced its file."""
        try:
            return self._path.stat().st_ino == os.fstat(self._handle).st_ino
        except OSError:
            return False

    @property
    def lost_to(self) -> str:
        return "another process holds it now"

    def release(self) -> None:
        """Remove the lock's file, then release the lock."""
        with contextlib.suppress(OSError):
            if self.is_held:
                self._path.unlink()
        with contextlib.suppress(OSError):
            os.close(self._handle)
        # Its number may be reused for another file from now on.
        self._handle = -1


def lock_of(path: Path) -> Path:
    """The lock beside a file; its holder is working on the file."""
    return path.with_name(f".{path.name}.lock")


def take(lock: Path, *, patience_s: float = 0.0) -> Lease | None:
    """Take a lock, or return None if somebody else holds it. A lock that cannot be opened is another user's, so it is held.

    Args:
        patience_s: How long to try, in seconds.

    Raises:
        OSError: The file cannot be created.
    """
    deadline_s = time.monotonic() + patience_s
    while True:
        lease = _try(lock)
        if lease is not None or time.monotonic() >= deadline_s:
            return lease
        time.sleep(_PAUSE_S)


def is_held(lock: Path) -> bool:
    """Whether somebody holds a lock, or may: a lock that cannot be opened is another user's."""
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
        # The last holder may have removed the file on release; then this handle is not the lock.
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
    """Let everybody who may write to the folder read and write a file in it; not in a sticky folder such as /tmp."""
    of_folder = folder.stat()
    if of_folder.st_mode & stat.S_ISVTX:
        return
    if of_folder.st_mode & 0o020 and os.fstat(handle).st_gid != of_folder.st_gid:
        # If this user is not in that group, the file keeps the user's own.
        with contextlib.suppress(OSError):
            os.fchown(handle, -1, of_folder.st_gid)
    about = os.fstat(handle)
    mode = stat.S_IMODE(about.st_mode)
    for writes, both in _BY_CLASS:
        if of_folder.st_mode & writes and (writes == 0o002 or about.st_gid == of_folder.st_gid):
            mode |= both
    # Some file systems have no permissions to set.
    with contextlib.suppress(OSError):
        os.fchmod(handle, mode)
