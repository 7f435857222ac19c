"""The notebooks in a folder or bucket of runs: listing them with stamps, and reading them."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import msgspec

from ecr_widgets import locks
from ecr_widgets.adapters.run_stores import bucket_store
from ecr_widgets.audit.parallel import in_parallel
from ecr_widgets.audit.reading import os_reason, read_bytes, read_content
from ecr_widgets.audit.run import Found, NoRun, Run
from ecr_widgets.audit.scan import Stamp, is_listed, scan, shown_name
from ecr_widgets.model.bucket_path import Place
from ecr_widgets.model.record import RunState
from ecr_widgets.ports.run_store import RunStore

_Asked = TypeVar("_Asked")
_Done = TypeVar("_Done")
_AT_ONCE = 16
_PARTS_AT_ONCE = 4
_RUNS_IN_PART = 4_000


class Part(NamedTuple):
    """The notebooks whose names are within a range."""

    first: str
    """The lower bound of its names, inclusive."""
    end: str | None
    """The upper bound of its names, exclusive; None if there is none."""
    notebooks: Iterable[tuple[str, Stamp]]
    """Each name with a stamp that changes when the notebook does."""

    @property
    def is_whole(self) -> bool:
        """Whether it covers all notebooks."""
        return not self.first and self.end is None


class RunFiles(Protocol):
    """Notebooks by name, relative to their folder or bucket prefix."""

    def parts(self, *, since: date | None, days: Iterable[tuple[date, int]]) -> Generator[Part, None, None]:
        """Yield all notebooks in parts; close the generator to stop early.

        Args:
            since: Names that begin with an earlier day may be left out; None for all.

            days: Approximate numbers of runs for the days where they are known, in order.

        Raises:
            InputError: They cannot be listed.
        """

    def list_whole(self) -> list[tuple[str, Stamp]] | None:
        """List all notebooks together; None if they are only listed in parts, because there may be too many.

        Raises:
            InputError: They cannot be listed.
        """

    def read(self, name: str) -> bytes:
        """Return the content of one notebook.

        Raises:
            OSError: It cannot be read.

            ValueError: It is not a readable notebook, such as a pipe or a file that is too large.
        """

    def contents(self, names: Sequence[str]) -> Generator[bytes | OSError | ValueError, None, None]:
        """Yield each content in order, or the reason why it cannot be read; close the generator to stop early."""

    def is_held(self, name: str) -> bool:
        """Whether a live process holds the run."""

    def each(self, work: Callable[[_Asked], _Done], asked: Sequence[_Asked]) -> Generator[_Done, None, None]:
        """Yield the result of `work` for each item in order, several at a time; close the generator to stop early."""


@dataclass(frozen=True, slots=True)
class FolderFiles:
    """Implements `RunFiles` for a folder and its subfolders."""

    folder: Path

    def parts(self, *, since: date | None, days: Iterable[tuple[date, int]]) -> Generator[Part, None, None]:
        # In the folder's own order: sorted by name, rows are faster to write once but slower to find at each update.
        yield Part("", None, scan(self.folder))

    def list_whole(self) -> list[tuple[str, Stamp]]:
        return list(scan(self.folder))

    def read(self, name: str) -> bytes:
        return read_bytes(os.path.join(self.folder, name))  # noqa: PTH118 -- no Path to make for each

    def contents(self, names: Sequence[str]) -> Generator[bytes | OSError | ValueError, None, None]:
        yield from map(partial(_read, self), names)

    def is_held(self, name: str) -> bool:
        # In a copy of the folder on another host there is no lock: a run that says it is running was interrupted.
        return locks.is_held(locks.lock_of(self.folder / name))

    def each(self, work: Callable[[_Asked], _Done], asked: Sequence[_Asked]) -> Generator[_Done, None, None]:
        return in_parallel(work, asked)


@dataclass(frozen=True, slots=True)
class StoreFiles:
    """Implements `RunFiles` for a shared store, such as a bucket."""

    store: RunStore

    def parts(self, *, since: date | None, days: Iterable[tuple[date, int]]) -> Generator[Part, None, None]:
        # Names of runs begin with the day. A part has a few thousand: enough to list efficiently, few enough for memory.
        cuts, count = ["" if since is None else f"{since:%Y%m%d}"], 0
        for day, runs in days:
            if count >= _RUNS_IN_PART and (cut := f"{day:%Y%m%d}") > cuts[-1]:
                cuts.append(cut)
                count = 0
            count += runs
        ranges = list(zip(cuts, (*cuts[1:], None), strict=True))
        with closing(self.each(self._listed, ranges, at_once=_PARTS_AT_ONCE)) as parts:
            yield from parts

    def list_whole(self) -> None:
        return None

    def _listed(self, names: tuple[str, str | None]) -> Part:
        first, end = names
        listed = []
        for name, stamp in self.store.stamps(after=first):
            if end is not None and name >= end:
                break
            if is_listed(name):
                listed.append((name, stored_stamp(stamp)))
        return Part(first, end, listed)

    def read(self, name: str) -> bytes:
        stored = self.store.read(name)
        if stored is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return stored.content

    def contents(self, names: Sequence[str]) -> Generator[bytes | OSError | ValueError, None, None]:
        yield from self.each(partial(_read, self), names)

    def is_held(self, name: str) -> bool:
        return self.store.holder(name) is not None

    def each(
        self,
        work: Callable[[_Asked], _Done],
        asked: Sequence[_Asked],
        *,
        at_once: int = _AT_ONCE,
    ) -> Generator[_Done, None, None]:
        left = iter(asked)
        with ThreadPoolExecutor(at_once) as pool:
            # Keep a few requests in flight, so that only so many results wait to be consumed.
            due = deque(pool.submit(work, each) for each in islice(left, 2 * at_once))
            try:
                while due:
                    done = due.popleft().result()
                    due.extend(pool.submit(work, each) for each in islice(left, 1))
                    yield done
            finally:
                pool.shutdown(cancel_futures=True)


def _read(files: RunFiles, name: str) -> bytes | OSError | ValueError:
    try:
        return files.read(name)
    except (OSError, ValueError) as error:
        return error


def names_in(place: Place) -> Iterator[str]:
    """Yield the names of all notebooks in a folder or bucket.

    Raises:
        InputError: They cannot be listed.
    """
    for part in files_of(place).parts(since=None, days=()):
        yield from (name for name, _ in part.notebooks)


def name_at(place: Place, given: str) -> str | None:
    """The name of the notebook at an address in the bucket, or at a path relative to the current folder, as a shell completes it.

    None if that is outside the folder of runs.
    """
    if not isinstance(place, Path):
        return given.removeprefix(f"{place}/")
    try:
        return str(Path(os.path.realpath(given)).relative_to(os.path.realpath(place)))
    except ValueError:
        return None


def files_of(place: Place) -> RunFiles:
    """Return the notebooks of a folder or bucket."""
    return FolderFiles(place) if isinstance(place, Path) else StoreFiles(bucket_store(place))


def stored_stamp(stamp: object) -> Stamp:
    """Convert a store's own stamp to one that an index keeps."""
    return Stamp(1, 0, str(stamp))


def find_in(place: Place, name: str) -> Found:
    """Read one notebook; its content never raises an error."""
    files = files_of(place)
    try:
        return found_in(files, name, files.read(name))
    except (OSError, ValueError) as error:
        return unread(name, error)


def unread(name: str, error: OSError | ValueError) -> NoRun:
    """Return the finding for a notebook that cannot be read."""
    why = os_reason(error) if isinstance(error, OSError) else str(error)
    return NoRun(shown_name(name), "unreadable", why)


def found_in(files: RunFiles, name: str, content: bytes) -> Found:
    """Return the run in a notebook's content, and whether it is held, or why there is none."""
    found = read_content(content, shown_name(name))
    if isinstance(found, Run) and found.state is RunState.RUNNING and files.is_held(name):
        return msgspec.structs.replace(found, held=True)
    return found
