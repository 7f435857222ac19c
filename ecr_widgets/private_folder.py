"""A folder that no other user may read, removed when its work is done.

Work that is killed with all its processes leaves its folder behind; the next work of the same kind removes it. Each process
holds a lock in its own folder, so a folder that nobody holds was left behind, even if several users share the parent folder.
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
        OSError: It cannot be created.
    """

    prefix = "ecrw-build-"
    """Prefix of the names of folders of this kind."""

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
            # Another process's sweep took it before it was held.

    def remove(self) -> None:
        """Remove the folder and everything in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._held.release()

    def _sweep(self, bases: set[Path]) -> None:
        """Remove what killed work of this user left behind: folders that only this user can have made and nobody holds."""
        for folder in {path for base in bases for path in base.glob(f"{self.prefix}*")}:
            with contextlib.suppress(OSError):
                about = folder.lstat()
                lock = folder / _LOCK
                # Other users may put their own links and folders beside ours, but nothing inside one of ours.
                if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid() or not lock.exists():
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
        """Whether this process itself needs the folder, though it does not hold it."""
        return False

    def _end(self, folder: Path) -> None:
        """End what still runs for a folder that was left behind."""


def _base(environ: Mapping[str, str]) -> Path:
    """XDG_RUNTIME_DIR, which is in memory, if it can be used; else the folder for temporary files.

    systemd removes XDG_RUNTIME_DIR when the user logs out, while a run started by `nohup` continues; so it is used only if
    systemd does not manage it, or if the user lingers.
    """
    uid = os.geteuid()
    with contextlib.suppress(OSError, KeyError):
        folder = Path(environ.get("XDG_RUNTIME_DIR", ""))
        about = folder.lstat()
        ours = stat.S_ISDIR(about.st_mode) and about.st_uid == uid and not about.st_mode & 0o077
        goes = (_LOGIND_USERS / str(uid)).exists() and not (_LINGERING / pwd.getpwuid(uid).pw_name).exists()
        if folder.is_absolute() and ours and not goes and os.access(folder, os.W_OK):
            return folder
    return Path(tempfile.gettempdir())
