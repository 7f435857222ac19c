"""Saved runs in a folder of this machine: a file is never half-written, and is on the disk when a write returns."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import tempfile
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from ecr_widgets.disk import keep_room, write_atomically
from ecr_widgets.errors import Replaced
from ecr_widgets.locks import Lease, is_held, lock_of, take
from ecr_widgets.model.stored import Stamp, Stored

_LEAST_RESERVE_BYTES = 256 * 1024
_STRAY_AFTER_S = 600.0
"""Age at which a file that nobody holds counts as left behind; a younger one's owner may be about to hold it."""
_GLANCE_S = 0.2
"""Longer than an audit holds the lock to see whether it is free, and shorter than people notice."""
_STRAY = re.compile(r"\.(?P<run>.+\.ipynb)\.(?:lock|[^.]+\.tmp)")


class FolderStore:
    """Implements `ports.run_store.RunStore`. A stamp comes from the kernel: change time, size and inode."""

    is_fenced = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._reserve: int | None = None
        self._reserved_bytes = 0

    def read(self, name: str) -> Stored | None:
        try:
            with (self.folder / name).open("rb") as file:
                return Stored(file.read(), _stamp_of(os.fstat(file.fileno())))
        except FileNotFoundError:
            return None

    def put(self, name: str, content: bytes, *, replacing: Stamp | None, final: bool = True) -> Stamp:
        path = self.folder / name
        if replacing is not None and replacing != self._stamp(name):
            raise Replaced(f"{str(path)!r} was changed by somebody else")
        if final:
            self.close()
        else:
            # First, so that a disk without that room keeps the old file.
            self._keep_room_for(name, len(content))
        try:
            write_atomically(path, content, is_new=replacing is None)
        except FileExistsError as error:
            raise Replaced(f"{str(path)!r} exists already") from error
        return _stamp_of(path.stat())

    def remove(self, name: str, stamp: Stamp) -> None:
        there = self._stamp(name)
        if there is not None and there != stamp:
            raise Replaced(f"{str(self.folder / name)!r} was changed by somebody else")
        (self.folder / name).unlink(missing_ok=True)

    def contents(self, names: Iterable[str]) -> Iterator[bytes]:
        for name in names:
            path = self.folder / name
            with contextlib.suppress(OSError):
                if path.is_file():  # reading a pipe would block
                    yield path.read_bytes()

    def names(self, *, after: str = "", prefix: str = "") -> Iterator[str]:
        with contextlib.suppress(FileNotFoundError):
            names = (path.name for path in self.folder.iterdir())
            yield from sorted(name for name in names if name > after and name.startswith(prefix))

    def stamps(self, *, after: str = "") -> Iterator[tuple[str, Stamp]]:
        for name in self.names(after=after):
            stamp = self._stamp(name)
            if stamp is not None:  # else it was removed since
                yield name, stamp

    def now(self) -> datetime:
        with tempfile.TemporaryFile(dir=self.folder) as file:
            return datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC)

    def hold(self, name: str) -> Lease | None:
        """Hold a name for the process that writes it, and remove what killed ones left; None if another process holds it.

        Raises:
            OSError: The folder or the lock cannot be created.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lease = take(lock_of(self.folder / name), patience_s=_GLANCE_S)
        if lease is not None:
            # Left by a process that was killed while writing.
            for torn in self.folder.glob(f".{glob.escape(name)}.*.tmp"):
                torn.unlink(missing_ok=True)
            self._sweep()
        return lease

    def holder(self, name: str) -> str | None:
        return "another process" if is_held(lock_of(self.folder / name)) else None

    def address(self, name: str) -> Path:
        return self.folder / name

    def close(self) -> None:
        """Free the room that is reserved for a next write."""
        if self._reserve is not None:
            os.close(self._reserve)
        self._reserve, self._reserved_bytes = None, 0

    def _stamp(self, name: str) -> Stamp | None:
        try:
            return _stamp_of((self.folder / name).stat())
        except FileNotFoundError:
            return None

    def _keep_room_for(self, name: str, size_bytes: int) -> None:
        """Reserve space for one more write, so that the outcome of the next change can be saved even on a full disk."""
        wanted = max(2 * size_bytes, _LEAST_RESERVE_BYTES)
        if wanted <= self._reserved_bytes:
            return
        if self._reserve is None:
            # Without a name, so that nothing is left behind however this process ends.
            self._reserve, reserve = tempfile.mkstemp(dir=self.folder, prefix=f".{name}.", suffix=".tmp")
            os.unlink(reserve)
        keep_room(self._reserve, wanted)
        self._reserved_bytes = wanted

    def _sweep(self) -> None:
        """Remove what killed runs left in the folder: locks that nobody holds, and unfinished files."""
        youngest_s = time.time() - _STRAY_AFTER_S
        for stray in self.folder.glob(".*"):
            match = _STRAY.fullmatch(stray.name)
            with contextlib.suppress(OSError):
                if match is None or stray.lstat().st_mtime > youngest_s or stray.is_symlink():
                    continue
                lease = take(lock_of(self.folder / match["run"]))
                if lease is not None:
                    with lease:
                        stray.unlink(missing_ok=True)


def _stamp_of(about: os.stat_result) -> Stamp:
    return about.st_ctime_ns, about.st_size, about.st_ino
