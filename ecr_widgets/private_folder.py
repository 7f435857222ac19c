"""A folder for what no other user may read, gone with the work that it is for.

Work that is killed with all its processes leaves its folder; the next one of its kind removes it. Each holds the lock of its
own folder, so that what nobody holds is known to be left behind, whoever shares the folder for temporary files.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ecr_widgets.locks import take

_LOCK = "held"
_LOGIND_USERS, _LINGERING = Path("/run/systemd/users"), Path("/var/lib/systemd/linger")


class PrivateFolder:
    """A new folder for this user only.

    Raises:
        OSError: It cannot be made.
    """

    prefix = "ecrw-build-"
    """How folders of this kind are called."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        base = _base(environ)
        self._sweep({base, Path(tempfile.gettempdir())})
        while True:
            # mkdtemp makes it 0700.
            self.path = Path(tempfile.mkdtemp(prefix=self.prefix, dir=base))
            with contextlib.suppress(FileNotFoundError):
                held = take(self.path / _LOCK)
                if held is not None:
                    self._held = held
                    return
            # Somebody who sweeps has found it before it was held.

    def remove(self) -> None:
        """Remove it with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._held.release()

    def _sweep(self, bases: set[Path]) -> None:
        """Remove what work of this user left that was killed: nobody else could have made it, and nobody holds it."""
        for folder in {path for base in bases for path in base.glob(f"{self.prefix}*")}:
            with contextlib.suppress(OSError):
                found = folder.lstat()
                lock = folder / _LOCK
                # Another user may put links and folders of his own beside ours, but nothing into one of ours.
                if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or not lock.exists():
                    continue
                if self._is_in_use(folder):
                    continue
                held = take(lock)
                if held is None:
                    continue
                try:
                    self._end(folder)
                    shutil.rmtree(folder, ignore_errors=True)
                finally:
                    held.release()

    def _is_in_use(self, folder: Path) -> bool:
        """Whether this very process needs it, though somebody else holds it."""
        return False

    def _end(self, folder: Path) -> None:
        """End what still runs for a folder that was left."""


def _base(environ: Mapping[str, str]) -> Path:
    """The folder that the system keeps for this user's processes in memory, else the one for temporary files.

    systemd removes the former when the user logs out, while a run started by `nohup` goes on; it stays where it is not
    systemd's, and for users who linger.
    """
    uid = os.geteuid()
    with contextlib.suppress(OSError, KeyError):
        folder = Path(environ.get("XDG_RUNTIME_DIR", ""))
        found = folder.lstat()
        ours = stat.S_ISDIR(found.st_mode) and found.st_uid == uid and not found.st_mode & 0o077
        goes = (_LOGIND_USERS / str(uid)).exists() and not (_LINGERING / pwd.getpwuid(uid).pw_name).exists()
        if folder.is_absolute() and ours and not goes and os.access(folder, os.W_OK):
            return folder
    return Path(tempfile.gettempdir())
