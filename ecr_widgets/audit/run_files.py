"""The notebooks of a place of runs, wherever that is: listed with stamps, and read."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeVar

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


class RunFiles(Protocol):
    """Notebooks by name, relative to their place."""

    def notebooks(self) -> Iterator[tuple[str, Stamp]]:
        """All names, each with what tells two states of it apart.

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

    def notebooks(self) -> Iterator[tuple[str, Stamp]]:
        return scan(self.folder)

    def read(self, name: str) -> bytes:
        return read_bytes(os.path.join(self.folder, name))  # noqa: PTH118 -- no Path to make for each

    def is_held(self, name: str) -> bool:
        return is_held(self.folder / name)

    def each(self, work: Callable[[_Asked], _Done], asked: Sequence[_Asked]) -> Generator[_Done, None, None]:
        return in_parallel(work, asked)


@dataclass(frozen=True, slots=True)
class StoreFiles:
    """Implements `RunFiles` for a store that others share, such as a bucket."""

    store: RunStore

    def notebooks(self) -> Iterator[tuple[str, Stamp]]:
        for name, stamp in self.store.stamps():
            if name.endswith(".ipynb") and not name.startswith("."):
                yield name, stored_stamp(stamp)

    def read(self, name: str) -> bytes:
        stored = self.store.read(name)
        if stored is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return stored.content

    def is_held(self, name: str) -> bool:
        return self.store.holder(name) is not None

    def each(self, work: Callable[[_Asked], _Done], asked: Sequence[_Asked]) -> Generator[_Done, None, None]:
        left = iter(asked)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            while some := list(islice(left, 4 * _AT_ONCE)):
                yield from pool.map(work, some)


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
