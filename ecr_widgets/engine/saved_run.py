"""The file of one run: never half-written, without secrets, and not written more often than needed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from threading import RLock
from typing import Any

from ecr_widgets.adapters.run_stores import store_of
from ecr_widgets.errors import InputError, Replaced, RunError, TargetBusy
from ecr_widgets.model.bucket_path import BucketPath, Place
from ecr_widgets.model.stored import Stamp
from ecr_widgets.ports.run_store import Hold
from ecr_widgets.saved_runs.reading import own_metadata
from ecr_widgets.saved_runs.writing import encoded

SECONDS_BETWEEN_WRITES = 0.5
_PAUSE_PER_WRITE = 4.0
"""Shortest pause between writes that can wait, as a multiple of the last write's duration."""
_CANNOT_HINT = "free some space, fix the folder or save elsewhere, then run again"
_NO_LOCKS = "its file system has no locks (flock), which runs need: save elsewhere, for example in a bucket"
_HINTS = {
    errno.EFBIG: "raise the limit: `ulimit -f`",
    errno.ENAMETOOLONG: "give the notebook or the folder a shorter name",
    errno.ENOLCK: _NO_LOCKS,
    errno.ENOSYS: _NO_LOCKS,
    errno.ENOTSUP: _NO_LOCKS,
}


class CannotSave(RunError):
    """The file of a run can no longer be written."""

    def __init__(self, path: Place | None, error: OSError, *, run_id: str) -> None:
        super().__init__(
            _cannot(path, error),
            run_id=run_id,
            hint=_hint(error),
        )


class SavedRun:
    """Writes a notebook to its place.

    Each write is atomic, so that a kill or a full disk at any moment leaves the last good file. `lock` guards the notebook
    between the thread that runs cells and the channel's.

    Args:
        notebook: nbformat 4.5 as plain dicts and lists.

        path: Where to save; None saves nothing (papermill without an output path).

        redact: Returns a JSON value without known secrets. It works on values, not on the written text, in which JSON's
            escapes could hide a secret.

        resumes: SHA-256 of the file that this run resumes; if the file differs by now, somebody else has resumed it.
    """

    def __init__(
        self,
        notebook: dict[str, Any],
        path: Place | None,
        *,
        redact: Callable[[Any], Any],
        resumes: str | None = None,
    ) -> None:
        self.notebook = notebook
        self.path = path
        self.lock = RLock()
        self.before_write: Callable[[], None] = lambda: None
        """Brings the notebook up to date; called with the lock held."""
        self._redact = redact
        self._resumes = resumes
        self._dirty = True
        self._has_begun = False
        """Whether it has been saved: before that, nothing is started that would change anything."""
        self._due_at_s = float("-inf")
        self._store = None if path is None else store_of(path.parent)
        self._lease: Hold | None = None
        self._stamp: Stamp | None = None
        self._tried = b""
        """The content of the last write, which may have been stored even if no answer came."""

    def __enter__(self) -> SavedRun:
        if self._store is not None:
            assert self.path is not None
            with self._saying_where():
                # While this is held the run is in progress; a `running` file that nobody holds is an interrupted run.
                lease = self._store.hold(self.path.name)
                if lease is None:
                    holder = self._store.holder(self.path.name)
                    raise _busy(self.path, "another run is being saved in", "save to another file", holder)
                with contextlib.ExitStack() as undo:
                    undo.enter_context(lease)
                    content, self._stamp = self._store.read(self.path.name) or (b"", None)
                    if self._resumes is not None and self._resumes != hashlib.sha256(content).hexdigest():
                        raise _busy(self.path, "somebody else has meanwhile resumed", "look at what it did")
                    undo.pop_all()
                self._lease = lease
        return self

    def __exit__(self, *_: object) -> None:
        if self._store is not None:
            self._store.close()
        if self._lease is not None:
            self._lease.release()

    @contextlib.contextmanager
    def _saying_where(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if not self._has_begun:
                raise InputError(_cannot(self.path, error), hint=_hint(error)) from error
            run_id = own_metadata(self.notebook).get("run_id", "")
            raise CannotSave(self.path, error, run_id=run_id) from error

    def changed(self) -> None:
        """Note a change that can wait for the next write."""
        self._dirty = True

    def write_if_due(self) -> None:
        """Write if something has changed and the last write is long enough ago."""
        if self._dirty and time.monotonic() >= self._due_at_s:
            self.write()

    def write(self, *, last: bool = False) -> None:
        """Write now.

        Args:
            last: Whether nothing will be written after this, so that the reserved space may be used.

        Raises:
            InputError: The first time, it could not be saved.

            CannotSave: It could not be saved; the last good file is kept.
        """
        began_s = time.monotonic()
        # All under the lock: else an older text could overwrite what another thread has written meanwhile.
        with self.lock, self._saying_where():
            self.before_write()
            text = json.dumps(self._redact(self.notebook), ensure_ascii=False, indent=1)
            if self.path is not None:
                self._put(self.path.name, encoded(text) + b"\n", final=last)
            self._dirty, self._has_begun = False, True
        now_s = time.monotonic()
        # Writing a large notebook takes long, and meanwhile the kernel's messages are not read.
        self._due_at_s = now_s + max(SECONDS_BETWEEN_WRITES, _PAUSE_PER_WRITE * (now_s - began_s))

    def _put(self, name: str, content: bytes, *, final: bool) -> None:
        assert self._store is not None
        assert self._lease is not None
        if self._store.is_fenced and not self._lease.is_held:
            # The stamp cannot show this: the process that resumes the run has already read it, and would miss this write.
            raise OSError(errno.EBUSY, f"another process has taken over the run: {self._lease.lost_to}")
        tried, self._tried = self._tried, content
        try:
            self._stamp = self._store.put(name, content, replacing=self._stamp, final=final)
        except Replaced as error:
            there, self._stamp = self._store.read(name) or (b"", None)
            if not self._lease.is_held or (self._store.is_fenced and there != tried):
                raise OSError(errno.EBUSY, "another run is being saved there now") from error
            # Somebody who has the notebook open may have saved it: the run's own content replaces that.
            self._stamp = self._store.put(name, content, replacing=self._stamp, final=final)

    def redacted(self, value: Any) -> Any:
        """A value without known secrets, such as a text before it is cut: half a secret would no longer be recognised."""
        return self._redact(value)

    def redact_in_place(self) -> None:
        """Remove secrets from the notebook's values too, because papermill itself writes them once more."""
        with self.lock:
            _replace(self.notebook, self._redact(self.notebook))


def _cannot(path: Place | None, error: OSError) -> str:
    return f"the run cannot be saved in {str(path)!r}: {error.strerror or error}"


def _hint(error: OSError) -> str:
    return _HINTS.get(error.errno or 0, _CANNOT_HINT)


def _busy(path: Place, what: str, other: str, holder: str | None = None) -> TargetBusy:
    by = f": {holder} holds it" if holder and isinstance(path, BucketPath) else ""
    return TargetBusy(
        f"{what} {str(path)!r}{by}",
        run_id="",
        holder=holder or str(path),
        hint=f"wait for its end, or {other}",
    )


def _replace(target: Any, clean: Any) -> None:
    # Changed in place, because papermill holds the same objects.
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
