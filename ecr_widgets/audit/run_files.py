"""The notebooks of a place of runs, wherever that is: listed with stamps, and read."""

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

from ecr_widgets.adapters.run_stores import bucket_store
from ecr_widgets.audit.parallel import in_parallel
from ecr_widgets.audit.reading import os_reason, read_bytes, read_content
from ecr_widgets.audit.run import Found, NoRun, Run
from ecr_widgets.audit.run_holder import is_held
from ecr_widgets.audit.scan import Stamp, scan, shown_name
from ecr_widgets.model.bucket_path import Place
from ecr_widgets.model.record import RunState
from ecr_widgets.ports.run_store import RunStore

_Asked = TypeVar("_Asked")
_Done = TypeVar("_Done")
_AT_ONCE = 16
_PARTS_AT_ONCE = 4
_RUNS_IN_PART = 4_000


class Part(NamedTuple):
    """The notebooks whose names are in a range."""

    first: str
    """No name in it is less than that."""
    end: str | None
    """All names in it are less than that; None where there is no end."""
    notebooks: Iterable[tuple[str, Stamp]]
    """Each name with what tells two states of it apart."""

    @property
    def is_whole(self) -> bool:
        """Whether it is all notebooks that there are."""
        return not self.first and self.end is None


class RunFiles(Protocol):
    """Notebooks by name, relative to their place."""

    def parts(self, *, since: date | None, days: Iterable[tuple[date, int]]) -> Generator[Part, None, None]:
        """All notebooks; close it to stop early.

        Args:
            since: Where names that begin with an earlier day may be left out; None for all.

            days: About how many runs days have, in order, as far as that is known.

        Raises:
            InputError: They cannot be listed.
        """
        ...

    def list_whole(self) -> list[tuple[str, Stamp]] | None:
        """All notebooks at once; None where they are too many for that, and listed by parts.

        Raises:
            InputError: They cannot be listed.
        """
        ...

    def read(self, name: str) -> bytes:
        """Content of one.

        Raises:
            OSError: It cannot be read.

            ValueError: It is nothing to be read.
        """
        ...

    def contents(self, names: Sequence[str]) -> Generator[bytes | OSError | ValueError, None, None]:
        """What is in each, in order, or why that cannot be read; close it to stop early."""
        ...

    def is_held(self, name: str) -> bool:
        """Whether somebody runs that run right now."""
        ...

    def each(self, work: Callable[[_Asked], _Done], asked: Sequence[_Asked]) -> Generator[_Done, None, None]:
        """What the work gives for each, in order and several at once; close it to stop early."""
        ...


@dataclass(frozen=True, slots=True)
class FolderFiles:
    """Implements `RunFiles` for a folder and the folders below."""

    folder: Path

    def parts(self, *, since: date | None, days: Iterable[tuple[date, int]]) -> Generator[Part, None, None]:
        # Kept in the folder's own order: rows sorted by name are written quicker once, and found slower at each update.
        yield Part("", None, scan(self.folder))

    def list_whole(self) -> list[tuple[str, Stamp]]:
        return list(scan(self.folder))

    def read(self, name: str) -> bytes:
        return read_bytes(os.path.join(self.folder, name))  # noqa: PTH118 -- no Path to make for each

    def contents(self, names: Sequence[str]) -> Generator[bytes | OSError | ValueError, None, None]:
        yield from map(partial(_read, self), names)

    def is_held(self, name: str) -> bool:
        return is_held(self.folder / name)

    def each(self, work: Callable[[_Asked], _Done], asked: Sequence[_Asked]) -> Generator[_Done, None, None]:
        return in_parallel(work, asked)


@dataclass(frozen=True, slots=True)
class StoreFiles:
    """Implements `RunFiles` for a store that others share, such as a bucket."""

    store: RunStore

    def parts(self, *, since: date | None, days: Iterable[tuple[date, int]]) -> Generator[Part, None, None]:
        # Names of runs begin with the day. Some thousand in a part: enough for what is listed at once, and few enough for memory.
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
        found = []
        for name, stamp in self.store.stamps(after=first):
            if end is not None and name >= end:
                break
            if name.endswith(".ipynb") and not name.startswith("."):
                found.append((name, stored_stamp(stamp)))
        return Part(first, end, found)

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
            # Some are always on their way, and no more wait to be taken than that.
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
    """Names of all notebooks of a folder, or of a bucket.

    Raises:
        InputError: They cannot be listed.
    """
    for part in files_of(place).parts(since=None, days=()):
        yield from (name for name, _ in part.notebooks)


def files_of(place: Place) -> RunFiles:
    """The notebooks of a folder, or of a bucket."""
    return FolderFiles(place) if isinstance(place, Path) else StoreFiles(bucket_store(place))


def stored_stamp(stamp: object) -> Stamp:
    """A store's own stamp as one of those that an index keeps."""
    return Stamp(1, 0, str(stamp))


def find_in(place: Place, name: str) -> Found:
    """Read one notebook; nothing is raised for what it holds."""
    files = files_of(place)
    try:
        return found_in(files, name, files.read(name))
    except (OSError, ValueError) as error:
        return unread(name, error)


def unread(name: str, error: OSError | ValueError) -> NoRun:
    """What is found in a notebook that cannot be read."""
    why = os_reason(error) if isinstance(error, OSError) else str(error)
    return NoRun(shown_name(name), "unreadable", why)


def found_in(files: RunFiles, name: str, content: bytes) -> Found:
    """What is found in a notebook's content."""
    found = read_content(content, shown_name(name))
    if isinstance(found, Run) and found.state is RunState.RUNNING and files.is_held(name):
        return msgspec.structs.replace(found, held=True)
    return found
