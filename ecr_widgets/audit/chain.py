"""The chain of seals of a runs folder: one line per seal in `seals.jsonl`, read freely and appended to under a lock."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from ecr_widgets.audit.keys import KeyFile
from ecr_widgets.audit.scan import folders_with
from ecr_widgets.audit.seal import (
    ROW,
    Link,
    Place,
    Seal,
    is_signed_by,
    line_of,
    link_of,
    read_links,
    sha256_of,
)
from ecr_widgets.disk import to_disk
from ecr_widgets.errors import RecordError
from ecr_widgets.locks import lock_of, open_shared, take

FILE_NAME = "seals.jsonl"
_BLOCK_BYTES = 1 << 16
LONGEST_WAIT_S = 10.0
"""How long to wait while others append to a chain; each takes far less than a second."""


def chain_file(runs: Path) -> Path:
    """The path of a runs folder's chain."""
    return runs / FILE_NAME


def links_of(runs: Path) -> list[Link]:
    """Read the chain of a runs folder; empty if there is none.

    Raises:
        RecordError: It exists but cannot be read.
    """
    return list(read_links(content_of(runs)))


def chains_of(runs: Path) -> Iterator[tuple[str, list[Link], str | None]]:
    """Yield every chain in a folder and below: the prefix of its names, its links, and why it cannot be read.

    A run that was saved in a subfolder is sealed there. The folder's own chain comes first, with prefix ``.

    Raises:
        InputError: The folder cannot be listed.

        RecordError: The folder's own chain exists but cannot be read.
    """
    return ((prefix, list(read_links(content)), broken) for prefix, content, broken in contents_of(runs))


def contents_of(runs: Path) -> Iterator[tuple[str, bytes, str | None]]:
    """Yield the same with the bytes of each chain instead of its links, which take many times the memory."""
    yield "", content_of(runs), None
    for prefix in sorted(folders_with(runs, FILE_NAME)):
        if prefix:
            try:
                yield prefix, content_of(runs / prefix), None
            except RecordError as error:
                yield prefix, b"", str(error)


def content_of(runs: Path) -> bytes:
    """Read the bytes of a folder's chain; empty if there is none.

    Raises:
        RecordError: It exists but cannot be read.
    """
    try:
        # Non-blocking, so that a pipe in its place does not wait for a writer.
        handle = os.open(chain_file(runs), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise RecordError(
                    f"the seals in {str(chain_file(runs))!r} cannot be read: not a regular file"
                )
            return file.read()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise RecordError(
            f"the seals in {str(chain_file(runs))!r} cannot be read: {error.strerror}"
        ) from error


class Appender:
    """Adds seals to a chain whose lock is held; nothing is written to the file before `write`."""

    def __init__(self, handle: int, last: Link | None, end: int, key: KeyFile) -> None:
        self._handle = handle
        self._key = key
        self._lines: list[bytes] = []
        self.last = last.seal if last else None
        """The seal that the next one follows."""
        self._previous = last.sha256 if last else None
        self._project = self.last.chain.project if self.last else secrets.token_hex(16)
        self._follows_own = last is not None and is_signed_by(last, key)
        self.end = end
        """Where the chain's complete lines end, in bytes."""

    def links_since(self, start: int) -> Iterator[Link]:
        """The links between an earlier `end` and the current one."""
        return read_links(os.pread(self._handle, max(0, self.end - start), start))

    def add(self, draft: Seal, sign: Callable[[bytes], bytes], *, row: bytes | None = None) -> Seal:
        """Add a seal after the last one; this sets its key and its place in the chain.

        Args:
            row: The line with the run's row.
        """
        place = Place(self._project, self.last.n + 1 if self.last else 1, self._previous, self._follows_own)
        row_sha256 = None if row is None else sha256_of(row)
        seal = msgspec.structs.replace(draft, key=self._key.key, chain=place, row=row_sha256)
        line = line_of(seal, sign)
        self.last, self._previous, self._follows_own = seal, sha256_of(line), True
        self._lines += [line + b"\n"] if row is None else [row + b"\n", line + b"\n"]
        return seal

    def write(self) -> None:
        """Write everything that was added, and wait once until it is on disk.

        Raises:
            OSError: It cannot be written; part of it may be in the file: whole seals and a torn line, which the next append
                removes.
        """
        content = b"".join(self._lines)
        if not content:
            return
        os.ftruncate(self._handle, self.end)
        os.lseek(self._handle, self.end, os.SEEK_SET)
        _write_all(self._handle, content)
        to_disk(self._handle)
        self._lines.clear()
        self.end += len(content)


@contextmanager
def appending(runs: Path, key: KeyFile) -> Iterator[Appender]:
    """Hold the chain's lock, after waiting for it up to `LONGEST_WAIT_S`, and find the chain's end.

    Args:
        key: The key that signs the new seals.

    Raises:
        RecordError: The chain's end cannot be read, so nothing can follow it; or others hold the lock for too long.

        OSError: The chain cannot be opened.
    """
    with _locked(chain_file(runs)) as handle:
        line, end = _last_line(handle)
        last = None if line is None else link_of(line, None)
        if last is not None and last.seal is None:
            raise RecordError(
                f"the last seal in {str(chain_file(runs))!r} cannot be read: {last.why}",
                hint="see `ecr-widgets audit verify`",
            )
        yield Appender(handle, last, end, key)


def _last_line(handle: int) -> tuple[bytes | None, int]:
    """The last complete seal, and where it ends; a row or a partial line that a crash left after it is ignored."""
    end = _newline_before(handle, os.fstat(handle).st_size)
    while end >= 0:
        start = _newline_before(handle, end) + 1
        line = os.pread(handle, end - start, start)
        if not line.startswith(ROW):
            return line, end + 1
        end = start - 1
    return None, 0


def _newline_before(handle: int, end: int) -> int:
    """Where the last newline before a place is, or -1."""
    while end > 0:
        start = max(0, end - _BLOCK_BYTES)
        at = os.pread(handle, end - start, start).rfind(b"\n")
        if at >= 0:
            return start + at
        end = start
    return -1


def _write_all(handle: int, content: bytes) -> None:
    while content:
        content = content[os.write(handle, content) :]


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    # Not the chain itself: everyone may read it, and anyone who can open a file can lock it.
    lock = lock_of(path)
    try:
        lease = take(lock, patience_s=LONGEST_WAIT_S)
    except PermissionError as error:
        raise RecordError(
            f"the seals in {str(path)!r} cannot be written: {error.strerror}",
            hint="ask the folder's owner to let you write to it, then `ecr-widgets audit seal`",
        ) from error
    if lease is None:
        raise RecordError(
            f"the seals in {str(path)!r} are in use: {lock.name!r} beside them was held by another process for"
            f" {LONGEST_WAIT_S:.0f} s",
            hint="run `ecr-widgets audit seal` when that process has ended, or remove the file first if nothing runs",
        )
    with lease:
        try:
            handle = open_shared(path)
        except PermissionError as error:
            raise RecordError(
                f"the seals in {str(path)!r} cannot be written: {error.strerror}",
                hint="ask the file's owner to let you write to it (`chmod g+w`), then `ecr-widgets audit seal`",
            ) from error
        try:
            yield handle
        finally:
            os.close(handle)
