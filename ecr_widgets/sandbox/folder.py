"""The sandbox's folder: its files, its lock, and its removal."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

from ecr_widgets.errors import SettingsError
from ecr_widgets.model.user_folders import state_folder
from ecr_widgets.sandbox.polling import wait_until

_FILES = ("state.json", "state.json.new", "journal.jsonl", "supervisor.log", "engine.log")
_FOLDERS = ("engine", "ecr", "ecs", "layer0")


def default_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """A sandbox's default folder, below the XDG state folder."""
    return state_folder(environ) / "sandbox"


def read_own(path: Path) -> bytes:
    """Read a file in a sandbox's folder if it can be trusted: nobody else can have written it.

    Raises:
        SettingsError: The file or its folder belongs to another account, or is writable by others.

        OSError: It cannot be read.
    """
    # O_NONBLOCK: if a pipe is in its place, do not wait for a writer.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        check_own(path, os.fstat(file.fileno()))
        check_own(path.parent, path.parent.stat())
        return file.read()


def check_own(path: Path, status: os.stat_result) -> None:
    """Refuse a file or folder that another account may have written to.

    Raises:
        SettingsError: It belongs to another account, is writable by others, or is neither a file nor a folder.
    """
    if status.st_uid != os.geteuid():
        raise SettingsError(
            f"{path} belongs to another account and is not trusted",
            hint="name a folder of your own with --folder",
        )
    is_folder = stat.S_ISDIR(status.st_mode)
    # A file that was replaced just after we opened it has no link left, and was just as good.
    is_file = stat.S_ISREG(status.st_mode) and status.st_nlink <= 1
    if status.st_mode & 0o022 or not (is_folder or is_file):
        raise SettingsError(
            f"{path} is not trusted: others may write to it",
            hint="remove their write permission (chmod go-w), or name another folder with --folder",
        )


class SandboxFolder:
    """The folder of one sandbox."""

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.abspath(path))  # noqa: PTH100  # symlinks stay as the user wrote them
        self.state_file = self.path / "state.json"
        self.journal_file = self.path / "journal.jsonl"
        self.supervisor_log = self.path / "supervisor.log"
        self.engine_log = self.path / "engine.log"
        self.engine_data = self.path / "engine"
        self.ecr = self.path / "ecr"
        self.ecs = self.path / "ecs"
        self.layer0 = self.path / "layer0"
        self._lock_file = self.path / "lock"

    def make(self) -> tuple[str, ...]:
        """Create the folder if it does not exist.

        Returns:
            The folders that were created, outermost first.

        Raises:
            SettingsError: It cannot be created, belongs to another account, or contains something else.
        """
        missing = []
        for folder in (self.path, *self.path.parents):
            if folder.exists():
                break
            missing.append(folder)
        made = []
        try:
            for folder in reversed(missing):
                try:
                    folder.mkdir(mode=0o700)
                except FileExistsError:
                    # Another start created it since we looked, and will remove it.
                    continue
                made.append(str(folder))
            check_own(self.path, self.path.stat())
            foreign = {entry.name for entry in self.path.iterdir()} - {
                *_FILES,
                *_FOLDERS,
                self._lock_file.name,
            }
        except OSError as error:
            raise SettingsError(
                f"the sandbox's folder {self.path} cannot be used: {error.strerror}",
                hint="name another with --folder",
            ) from error
        if foreign:
            raise SettingsError(
                f"the folder {self.path} holds other things than a sandbox, such as {min(foreign)!r}",
                hint="name an empty folder or a new one",
            )
        return tuple(made)

    def lock(self) -> int | None:
        """Take the folder's lock, held until the returned descriptor is closed; None if another process has it."""
        while True:
            handle = os.open(self._lock_file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                return None
            try:
                if self._lock_file.stat().st_ino == os.fstat(handle).st_ino:
                    return handle
            except FileNotFoundError:
                pass
            # Its previous holder removed the file between our open and our lock: this lock protects nothing.
            os.close(handle)

    def empty(self) -> None:
        """Remove all that a sandbox keeps here except the lock; only the lock's holder may do so."""
        for name in _FOLDERS:
            remove_tree(self.path / name)
        for name in _FILES:
            (self.path / name).unlink(missing_ok=True)

    def remove(self, made_folders: tuple[str, ...]) -> None:
        """Remove the lock, and the folders if they are empty; only the lock's holder may do so.

        Args:
            made_folders: Outermost first.
        """
        self._lock_file.unlink(missing_ok=True)
        for folder in reversed(made_folders):
            try:
                Path(folder).rmdir()
            except OSError:
                break


def remove_tree(path: Path, timeout_s: float = 5.0) -> None:
    """Remove a folder and everything in it, even while processes that are ending still write there."""
    if not wait_until(lambda: _is_removed(path), timeout_s=timeout_s):
        shutil.rmtree(path)


def _is_removed(path: Path) -> bool:
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        return not path.exists()
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EBUSY):
            raise
        return False
    return True
