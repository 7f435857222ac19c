"""The file of one run: whole or old at any time, without secrets, and not written more often than needed."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Any

from ecr_widgets.model.record import RECORD_MIME

SECONDS_BETWEEN_WRITES = 0.5
_LEAST_RESERVE_BYTES = 256 * 1024


class SavedRun:
    """Writes a notebook to its place.

    Every write goes to a temporary file in the same folder, is synced and renamed, so that a kill or a full disk at any
    moment leaves the last good file. `lock` guards the notebook between the thread that runs cells and the channel's.

    Args:
        notebook: nbformat 4.5 as plain dicts and lists.

        path: Where to save; None saves nothing (papermill without an output path).

        redact: Gives a value as JSON holds it back without known secrets. Not done on the written text: JSON escapes what
            it quotes, and so a form that a reader would see would not be found there.
    """

    def __init__(self, notebook: dict[str, Any], path: Path | None, *, redact: Callable[[Any], Any]) -> None:
        self.notebook = notebook
        self.path = path
        self.lock = RLock()
        self.bytes_written = 0
        self.before_write: Callable[[], None] = lambda: None
        """Brings the notebook up to date; called with the lock held."""
        self._redact = redact
        self._dirty = True
        self._written_at_s = float("-inf")
        self._holder: int | None = None
        self._reserve: int | None = None
        self._reserved_bytes = 0

    def __enter__(self) -> SavedRun:
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # While this lock is held, somebody runs this run; a `running` file without it is an interrupted run.
            self._holder = os.open(
                self._lock_path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
            fcntl.flock(self._holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Left by an attempt that was killed while it wrote.
            for torn in self.path.parent.glob(f".{glob.escape(self.path.name)}.*.tmp"):
                torn.unlink(missing_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()
        if self._holder is not None:
            with contextlib.suppress(OSError):
                self._lock_path.unlink()
            os.close(self._holder)

    @property
    def _lock_path(self) -> Path:
        assert self.path is not None
        return _lock_of(self.path)

    def changed(self) -> None:
        """Take note of a change that may wait for the next write."""
        self._dirty = True

    def write_if_due(self) -> None:
        """Write when something changed and the last write is a while ago."""
        if self._dirty and time.monotonic() - self._written_at_s >= SECONDS_BETWEEN_WRITES:
            self.write()

    def write(self, *, last: bool = False) -> None:
        """Write now.

        Args:
            last: Whether nothing will be written after this, so that the reserved space may be used.

        Raises:
            OSError: It could not be saved; the last good file still stands.
        """
        with self.lock:
            self.before_write()
            text = json.dumps(self._redact(self.notebook), ensure_ascii=False, indent=1)
            self._dirty = False
        if self.path is not None:
            if last:
                self._release()
            content = text.encode("utf-8", "surrogatepass") + b"\n"
            self.bytes_written += write_atomically(self.path, content)
            if not last:
                self._keep_room_for(len(content))
        self._written_at_s = time.monotonic()

    def _keep_room_for(self, size_bytes: int) -> None:
        """Reserve space for one more write, so that the outcome of what is done next can be saved on a full disk.

        Raises:
            OSError: There is no room; nothing may be changed that could not be recorded.
        """
        wanted = max(2 * size_bytes, _LEAST_RESERVE_BYTES)
        if wanted <= self._reserved_bytes:
            return
        if self._reserve is None:
            assert self.path is not None
            # Without a name: nothing is left behind, whatever ends this process.
            self._reserve, name = tempfile.mkstemp(
                dir=self.path.parent, prefix=f".{self.path.name}.", suffix=".tmp"
            )
            os.unlink(name)
        os.posix_fallocate(self._reserve, 0, wanted)
        self._reserved_bytes = wanted

    def _release(self) -> None:
        if self._reserve is not None:
            os.close(self._reserve)
        self._reserve, self._reserved_bytes = None, 0

    def redact_in_place(self) -> None:
        """Leave no secret in the notebook's values either: papermill writes them once more by itself."""
        with self.lock:
            _replace(self.notebook, self._redact(self.notebook))


def records_of(notebook: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The step records in a notebook, in the order of their cells."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            record = output.get("data", {}).get(RECORD_MIME)
            if isinstance(record, str):
                with contextlib.suppress(ValueError):
                    yield json.loads(record)


def is_held(path: Path) -> bool:
    """Whether somebody runs the saved run at this moment."""
    try:
        lock = os.open(_lock_of(path), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _lock_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


def write_atomically(path: Path, content: bytes) -> int:
    """Write a file so that at any time the old or the new content stands under the name.

    Returns:
        Bytes written.

    Raises:
        OSError: The old content still stands.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return len(content)


def _replace(target: Any, clean: Any) -> None:
    # In place, because papermill holds the same objects.
    if isinstance(target, dict):
        for key in [key for key in target if key not in clean]:
            del target[key]
        for key, value in clean.items():
            if isinstance(value, (dict, list)) and (target.get(key) is not None):
                _replace(target[key], value)
            elif target.get(key) != value:
                target[key] = value
    else:
        for index, value in enumerate(clean):
            if isinstance(value, (dict, list)):
                _replace(target[index], value)
            else:
                target[index] = value
