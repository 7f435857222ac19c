"""What it takes until a file's content is on the disk and not only on its way there."""

from __future__ import annotations

import contextlib
import fcntl
import os

_FULL = getattr(fcntl, "F_FULLFSYNC", None)
"""macOS: its fsync leaves the content in the disk's own cache."""


def to_disk(handle: int) -> None:
    """Wait until what was written to a file or folder is on the disk.

    Raises:
        OSError: It could not be written.
    """
    if _FULL is not None:
        # Not every file system has it; then there is only fsync.
        with contextlib.suppress(OSError):
            fcntl.fcntl(handle, _FULL)
            return
    os.fsync(handle)


def keep_room(handle: int, size_bytes: int) -> None:
    """Have the file system reserve so many bytes for a file.

    Raises:
        OSError: There is no room.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size_bytes)
        return
    at = 0
    while at < size_bytes:
        at += os.pwrite(handle, bytes(size_bytes - at), at)
