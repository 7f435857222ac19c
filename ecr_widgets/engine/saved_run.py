"""The file of one run: whole or old at any time, without secrets, and not written more often than needed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from threading import RLock
from types import TracebackType
from typing import Any

from ecr_widgets.adapters.run_stores import store_of
from ecr_widgets.errors import Replaced, RunError, TargetBusy
from ecr_widgets.model.bucket_path import BucketPath, Place
from ecr_widgets.model.stored import Stamp
from ecr_widgets.ports.run_store import Hold
from ecr_widgets.saved_runs.reading import own_metadata

SECONDS_BETWEEN_WRITES = 0.5
_PAUSE_PER_WRITE = 4.0
"""How long to pause between writes that may wait, at least, as a multiple of what the last one took."""


class CannotSave(RunError):
    """The file of a run cannot be written."""

    def __init__(self, path: Place | None, error: OSError, *, run_id: str) -> None:
        super().__init__(
            f"the run cannot be saved in {str(path)!r}: {error.strerror or error}",
            run_id=run_id,
            hint="make room, fix the folder or save elsewhere, then run again",
        )


class SavedRun:
    """Writes a notebook to its place.

    Each write is whole or not at all, so that a kill or a full disk at any moment leaves the last good file. `lock` guards
    the notebook between the thread that runs cells and the channel's.

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
        self._due_at_s = float("-inf")
        self._store = None if path is None else store_of(path.parent)
        self._lease: Hold | None = None
        self._stamp: Stamp | None = None
        self._tried = b""
        """What was to be stored last: where no answer came, it may be there."""

    def __enter__(self) -> SavedRun:
        if self._store is not None:
            assert self.path is not None
            with self._saying_where():
                # While this is held, somebody runs this run; a `running` file without it is an interrupted run.
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._store is not None:
            self._store.close()
        if self._lease is not None:
            self._lease.release()

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
            CannotSave: The last good file is still there.
        """
        began_s = time.monotonic()
        # As a whole: else what another thread has written meanwhile would be overwritten by an older text.
        with self.lock, self._saying_where():
            self.before_write()
            text = json.dumps(self._redact(self.notebook), ensure_ascii=False, indent=1)
            if self.path is not None:
                self._put(self.path.name, text.encode("utf-8", "surrogatepass") + b"\n", final=last)
            self._dirty = False
        now_s = time.monotonic()
        # A large notebook takes its time, in which nobody hears the kernel.
        self._due_at_s = now_s + max(SECONDS_BETWEEN_WRITES, _PAUSE_PER_WRITE * (now_s - began_s))

    def _put(self, name: str, content: bytes, *, final: bool) -> None:
        assert self._store is not None
        assert self._lease is not None
        if self._store.is_fenced and not self._lease.is_held:
            # Before it is seen by the stamp: whoever resumes the run has read it by now, and would miss what is stored here.
            raise OSError(errno.EBUSY, f"another process has taken over the run: {self._lease.lost_to}")
        tried, self._tried = self._tried, content
        try:
            self._stamp = self._store.put(name, content, replacing=self._stamp, final=final)
        except Replaced as error:
            there, self._stamp = self._store.read(name) or (b"", None)
            if not self._lease.is_held or (self._store.is_fenced and there != tried):
                raise OSError(errno.EBUSY, "another run is being saved there now") from error
            # Whoever has the notebook open may have saved it: what the run says itself replaces that.
            self._stamp = self._store.put(name, content, replacing=self._stamp, final=final)

    def redacted(self, value: Any) -> Any:
        """A value without known secrets, such as a text that is to be cut: of a half nobody would know what it was."""
        return self._redact(value)

    def redact_in_place(self) -> None:
        """Leave no secret in the notebook's values either: papermill writes them once more by itself."""
        with self.lock:
            _replace(self.notebook, self._redact(self.notebook))


def _busy(path: Place, what: str, other: str, holder: str | None = None) -> TargetBusy:
    by = f": {holder} holds it" if holder and isinstance(path, BucketPath) else ""
    return TargetBusy(
        f"{what} {str(path)!r}{by}",
        run_id="",
        holder=holder or str(path),
        hint=f"wait for its end, or {other}",
    )


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
