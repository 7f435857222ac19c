"""Write files so that their content is on the disk, whole, and not only in a cache."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

_FULL = getattr(fcntl, "F_FULLFSYNC", None)
"""macOS: its fsync leaves the content in the disk's own cache."""
_UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
"""What a file system answers to a call that it does not have."""


def to_disk(handle: int) -> None:
    """Wait until everything written to a file or folder is on the disk, if its file system can say so.

    Raises:
        OSError: It could not be written.
    """
    if _FULL is not None:
        # Not every file system supports it; the fallback is fsync.
        with contextlib.suppress(OSError):
            fcntl.fcntl(handle, _FULL)
            return
    try:
        os.fsync(handle)
    except OSError as error:
        # Some shared folders cannot do this for folders, or not at all.
        if error.errno not in _UNSUPPORTED:
            raise


def keep_room(handle: int, size_bytes: int) -> None:
    """Have the file system reserve this many bytes for a file.

    Raises:
        OSError: There is no room.
    """
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(handle, 0, size_bytes)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
        else:
            return
    at = 0
    while at < size_bytes:
        at += os.pwrite(handle, bytes(size_bytes - at), at)


def is_device(path: Path) -> bool:
    """Whether something is there that is neither a file nor a folder, such as /dev/null or a pipe."""
    with contextlib.suppress(OSError):
        mode = path.stat().st_mode
        return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
    return False


def write_atomically(path: Path, content: bytes, *, is_new: bool = False, mode: int = 0o666) -> None:
    """Write a file so that at any time the name holds either the old or the new content.

    Args:
        is_new: Whether the file must not exist yet.

        mode: The permissions of a new file, before the umask.

    Raises:
        FileExistsError: The file exists, and `is_new` is set.

        OSError: It could not be written, is not known to be on the disk, or would replace a device.
    """
    if is_device(path):
        raise OSError(errno.EINVAL, "it is a device or a pipe", str(path))
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    # With the permissions of this user's other new files: a second person has to read a plan to approve it.
    handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            # Some file systems have no permissions to set.
            with contextlib.suppress(FileNotFoundError, PermissionError):
                os.fchmod(handle, stat.S_IMODE(path.stat().st_mode))
            file.write(content)
            file.flush()
            to_disk(file.fileno())
        if is_new:
            _move_to_new(temporary, path)
        else:
            os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        to_disk(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def writing_whole(path: Path) -> Iterator[Path]:
    """Give a temporary file that replaces `path` once it is complete; something else than a regular file is written directly.

    Raises:
        OSError: The old content is still there.
    """
    if is_device(path):
        yield path
        return
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        yield temporary
        with contextlib.suppress(FileNotFoundError, PermissionError):
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _move_to_new(whole: Path, path: Path) -> None:
    """Move a file to a name that must not be taken yet."""
    try:
        os.link(whole, path)
        os.unlink(whole)
    except FileExistsError:
        raise
    except OSError:
        # A file system without links: a reader at this moment sees an empty file.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666))
        os.replace(whole, path)
