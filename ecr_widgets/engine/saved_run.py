"""The file of one run: whole or old at any time, without secrets, and not written more often than needed."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import re
import secrets
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Any

from ecr_widgets.disk import keep_room, to_disk
from ecr_widgets.errors import RunError, TargetBusy
from ecr_widgets.saved_runs.reading import own_metadata
from ecr_widgets.shared_files import hold_file, release_file

SECONDS_BETWEEN_WRITES = 0.5
_PAUSE_PER_WRITE = 4.0
"""How long to pause between writes that may wait, at least, as a multiple of what the last one took."""
_LEAST_RESERVE_BYTES = 256 * 1024
_STRAY_AFTER_S = 600.0
"""Age at which what nobody holds is taken for left behind: others may just be about to hold theirs."""
_GLANCE_S = 0.2
"""Longer than an audit holds the lock to see whether somebody else does, and shorter than people notice."""
_STRAY = re.compile(r"\.(?P<run>.+\.ipynb)\.(?:lock|[^.]+\.tmp)")


class CannotSave(RunError):
    """The file of a run cannot be written."""

    def __init__(self, path: Path | None, error: OSError, *, run_id: str) -> None:
        super().__init__(
            f"the run cannot be saved in {str(path)!r}: {error.strerror or error}",
            run_id=run_id,
            hint="make room, mend the folder or save elsewhere, then run again",
        )


class SavedRun:
    """Writes a notebook to its place.

    Every write goes to a temporary file in the same folder, is synced and renamed, so that a kill or a full disk at any
    moment leaves the last good file. `lock` guards the notebook between the thread that runs cells and the channel's.

    Args:
        notebook: nbformat 4.5 as plain dicts and lists.

        path: Where to save; None saves nothing (papermill without an output path).

        redact: Gives a value as JSON holds it back without known secrets. Not done on the written text: JSON escapes what
            it quotes, and so a form that a reader would see would not be found there.

        resumes: SHA-256 of the file that this run resumes; one that is another by now was resumed already.
    """

    def __init__(
        self,
        notebook: dict[str, Any],
        path: Path | None,
        *,
        redact: Callable[[Any], Any],
        resumes: str | None = None,
    ) -> None:
        self.notebook = notebook
        self.path = path
        self.lock = RLock()
        self.bytes_written = 0
        self.before_write: Callable[[], None] = lambda: None
        """Brings the notebook up to date; called with the lock held."""
        self._redact = redact
        self._resumes = resumes
        self._dirty = True
        self._due_at_s = float("-inf")
        self._holder: int | None = None
        self._reserve: int | None = None
        self._reserved_bytes = 0

    def __enter__(self) -> SavedRun:
        if self.path is not None:
            with self._saying_where():
                self.path.parent.mkdir(parents=True, exist_ok=True)
                # While this lock is held, somebody runs this run; a `running` file without it is an interrupted run.
                self._holder = hold_file(_lock_of(self.path), patience_s=_GLANCE_S)
                if self._holder is None:
                    raise _busy(self.path, "another run is being saved in", "save to another file")
                if self._resumes is not None and self._resumes != sha256_of(self.path):
                    self.__exit__(None, None, None)
                    raise _busy(self.path, "somebody else has resumed meanwhile", "look at what it did")
                # Left by an attempt that was killed while it wrote.
                for torn in self.path.parent.glob(f".{glob.escape(self.path.name)}.*.tmp"):
                    torn.unlink(missing_ok=True)
                _sweep(self.path.parent)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()
        if self._holder is not None:
            assert self.path is not None
            release_file(_lock_of(self.path), self._holder)

    @contextlib.contextmanager
    def _saying_where(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            run_id = own_metadata(self.notebook).get("run_id", "")
            raise CannotSave(self.path, error, run_id=run_id) from error

    def changed(self) -> None:
        """Take note of a change that may wait for the next write."""
        self._dirty = True

    def write_if_due(self) -> None:
        """Write when something changed and the last write is a while ago."""
        if self._dirty and time.monotonic() >= self._due_at_s:
            self.write()

    def write(self, *, last: bool = False) -> None:
        """Write now.

        Args:
            last: Whether nothing will be written after this, so that the reserved space may be used.

        Raises:
            CannotSave: The last good file still stands.
        """
        began_s = time.monotonic()
        # As a whole: else what another thread has written meanwhile would be overwritten by an older text.
        with self.lock, self._saying_where():
            self.before_write()
            text = json.dumps(self._redact(self.notebook), ensure_ascii=False, indent=1)
            if self.path is not None:
                if last:
                    self._release()
                content = text.encode("utf-8", "surrogatepass") + b"\n"
                self.bytes_written += write_atomically(self.path, content)
                if not last:
                    self._keep_room_for(len(content))
            self._dirty = False
        now_s = time.monotonic()
        # A large notebook takes its time, in which nobody hears the kernel.
        self._due_at_s = now_s + max(SECONDS_BETWEEN_WRITES, _PAUSE_PER_WRITE * (now_s - began_s))

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
        keep_room(self._reserve, wanted)
        self._reserved_bytes = wanted

    def _release(self) -> None:
        if self._reserve is not None:
            os.close(self._reserve)
        self._reserve, self._reserved_bytes = None, 0

    def redacted(self, value: Any) -> Any:
        """A value without known secrets, such as a text that is to be cut: of a half nobody would know what it was."""
        return self._redact(value)

    def redact_in_place(self) -> None:
        """Leave no secret in the notebook's values either: papermill writes them once more by itself."""
        with self.lock:
            _replace(self.notebook, self._redact(self.notebook))


def sha256_of(path: Path) -> str:
    """Hash of a file's content.

    Raises:
        OSError: It cannot be read.
    """
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _busy(path: Path, what: str, other: str) -> TargetBusy:
    return TargetBusy(
        f"{what} {str(path)!r}", run_id="", holder=str(path), hint=f"wait for its end, or {other}"
    )


def _lock_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


def _sweep(folder: Path) -> None:
    """Remove what killed runs left in the folder: locks that nobody holds and files that were never finished."""
    youngest_s = time.time() - _STRAY_AFTER_S
    for stray in folder.glob(".*"):
        found = _STRAY.fullmatch(stray.name)
        with contextlib.suppress(OSError):
            if found is None or stray.lstat().st_mtime > youngest_s or stray.is_symlink():
                continue
            lock = folder / f".{found['run']}.lock"
            held = hold_file(lock)
            if held is None:
                continue
            try:
                stray.unlink(missing_ok=True)
            finally:
                release_file(lock, held)


def write_atomically(path: Path, content: bytes) -> int:
    """Write a file so that at any time the old or the new content stands under the name.

    Returns:
        Bytes written.

    Raises:
        OSError: The old content still stands.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    # With the rights that this user's new files have: a second person who is to approve a plan has to read it.
    handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            with contextlib.suppress(FileNotFoundError):
                os.fchmod(handle, stat.S_IMODE(path.stat().st_mode))
            file.write(content)
            file.flush()
            to_disk(file.fileno())
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
