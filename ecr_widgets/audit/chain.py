"""The chain of seals of a runs folder: one line a seal in `seals.jsonl`, each bound to the one before and signed.

A line is `{"seal":{…},"signature":"…"}` in RFC 8785's canonical form. The signature is over the bytes of the seal as they
stand in the line, and `previous` is the sha256 of the whole line before, so that not a byte can change unnoticed.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec

from ecr_widgets.audit.canonical import Form, canonical
from ecr_widgets.audit.keys import KeyFile
from ecr_widgets.disk import to_disk
from ecr_widgets.errors import InputError, RecordError
from ecr_widgets.locks import lock_of, open_shared, take
from ecr_widgets.model.record import Moment

FILE_NAME = "seals.jsonl"
SEAL_VERSION = 1
RETIRED = "retired"
"""State of a seal that takes its file's loss for meant: all else in it is of the seal before."""
_HEAD = b'{"seal":'
_TAIL_LENGTH = len(b',"signature":"') + 88 + len(b'"}')
"""An Ed25519 signature is 64 bytes, 88 characters of base64."""
_BLOCK_BYTES = 1 << 16
LONGEST_WAIT_S = 10.0
"""For a chain that others add to; each of them takes far less than a second."""


class Seal(msgspec.Struct, frozen=True):
    """What is sealed of one run: which file said what, and what it was about, should the file vanish."""

    version: int
    n: int
    """Counts from 1 without a gap."""
    project: str
    """Random, made with the first seal, so that no seal fits another chain."""
    previous: str | None
    path: str
    run_id: str | None
    runbook: str | None
    runbook_sha256: str | None
    state: str | None
    started_at: str | None
    ended_at: str | None
    actor: str | None
    digests: tuple[str, ...]
    deploys: tuple[str, ...]
    parameters_sha256: str
    file_sha256: str
    form_sha256: str
    metadata: dict[str, str]
    cells: tuple[str, ...]
    sealed_at: Moment
    key: str

    @property
    def form(self) -> Form:
        """The form that was sealed."""
        return Form(self.form_sha256, self.metadata, self.cells)


class Line(msgspec.Struct, frozen=True):
    """One line of the chain."""

    seal: Seal
    signature: str


@dataclass(frozen=True, slots=True)
class Link:
    """One line as it is in the file."""

    seal: Seal | None
    """None where the line cannot be read."""
    sha256: str
    signature: bytes
    signed: bytes
    """The bytes that the signature is over."""
    why: str | None = None
    """Why it cannot be read."""


class Head(msgspec.Struct, frozen=True):
    """Where a chain ends: exported, it proves later that nothing up to there was taken away or replaced."""

    project: str
    n: Annotated[int, msgspec.Meta(ge=1)]
    sha256: str


class Heads(msgspec.Struct, frozen=True):
    """Where the chains of a runs folder end: its own, and those of the folders below by prefix, such as `prod/`."""

    own: Head | None
    below: dict[str, Head] = {}

    def to_json(self) -> dict[str, Any]:
        """As it is exported; readers of an earlier release find the folder's own head in its place."""
        own: dict[str, Any] = msgspec.to_builtins(self.own) if self.own else {}
        return own | {"below": msgspec.to_builtins(self.below)}


def chain_file(runs: Path) -> Path:
    """Where the chain of a runs folder is."""
    return runs / FILE_NAME


def read_links(content: bytes) -> Iterator[Link]:
    """The links in the chain's bytes; a last line without its end is a link that cannot be read."""
    lines = content.split(b"\n")
    torn = lines.pop()
    for line in lines:
        yield _link(line)
    if torn:
        yield Link(None, _sha256(torn), b"", b"", "it was not written to its end")


class Appender:
    """Adds seals to a chain whose lock is held; nothing is in the file before `write`."""

    def __init__(self, handle: int, last: Link | None, end: int) -> None:
        self._handle = handle
        self._lines: list[bytes] = []
        self.last = last.seal if last else None
        """The seal that the next one follows."""
        self._previous = last.sha256 if last else None
        self._project = self.last.project if self.last else secrets.token_hex(16)
        self.end = end
        """Where the chain's whole lines end, in bytes."""

    def links_since(self, start: int) -> Iterator[Link]:
        """The links between a place that was an end before and the current end."""
        return read_links(os.pread(self._handle, max(0, self.end - start), start))

    def add(self, draft: Seal, sign: Callable[[bytes], bytes]) -> Seal:
        """Add a seal behind the last one; its n, project and previous are set here."""
        n = self.last.n + 1 if self.last else 1
        seal = msgspec.structs.replace(draft, n=n, project=self._project, previous=self._previous)
        line = line_of(seal, sign)
        self.last, self._previous = seal, _sha256(line)
        self._lines.append(line + b"\n")
        return seal

    def write(self) -> None:
        """Write all that was added and wait once until it is on the disk.

        Raises:
            OSError: It cannot be written; a beginning of it may stand: whole seals and a torn line, which the next
                append removes.
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
def appending(runs: Path) -> Iterator[Appender]:
    """Hold the chain's lock, for which it waits a while, and look at where the chain ends.

    Raises:
        RecordError: The chain's end cannot be read, so nothing can follow it; or others are at work on it for too long.

        OSError: The chain cannot be opened.
    """
    with _locked(chain_file(runs)) as handle:
        line, end = _last_line(handle)
        last = None if line is None else _link(line)
        if last is not None and last.seal is None:
            raise RecordError(
                f"the last seal in {str(chain_file(runs))!r} cannot be read: {last.why}",
                hint="see `ecr-widgets audit verify`",
            )
        yield Appender(handle, last, end)


def line_of(seal: Seal, sign: Callable[[bytes], bytes]) -> bytes:
    """The line of a seal, signed."""
    # Only the names in `metadata` are not ours, and there is no float in a seal.
    signed = canonical(msgspec.to_builtins(seal), simple=all(map(str.isascii, seal.metadata)))
    return _line(signed, sign(signed))


def _line(signed: bytes, signature: bytes) -> bytes:
    return _HEAD + signed + b',"signature":"' + b64encode(signature) + b'"}'


def head_of(links: list[Link]) -> Head | None:
    """Where the chain ends, None where it is empty or its last line cannot be read."""
    if not links or links[-1].seal is None:
        return None
    return Head(links[-1].seal.project, links[-1].seal.n, links[-1].sha256)


class Trouble(NamedTuple):
    """What is wrong with one link."""

    why: tuple[str, ...]
    forged: bool
    """Whether the seal itself says nothing: its signature is wrong, or its key may not have signed it."""
    unknown_key: bool
    """Whether nobody here can tell, because the key is not known."""


class Past(msgspec.Struct, frozen=True):
    """What is to be known of the links before one."""

    count: int = 0
    sha256: str | None = None
    project: str | None = None
    sealed_at: Moment | None = None
    """The latest time of a seal whose signature is right."""


class Watcher:
    """Looks at one link of a chain after the other.

    Args:
        past: Where an earlier look stopped; by default the beginning.
    """

    def __init__(self, keys: Mapping[str, KeyFile], past: Past = Past()) -> None:  # noqa: B008 -- frozen
        self._keys = keys
        self.past = past

    def look(self, link: Link) -> Trouble | None:
        """What is wrong with the next link, None where nothing is."""
        past, seal = self.past, link.seal
        if seal is None:
            self.past = msgspec.structs.replace(past, count=past.count + 1, sha256=link.sha256)
            return Trouble((link.why or "it is no seal",), forged=True, unknown_key=False)
        place = []
        if seal.n != past.count + 1:
            place.append(
                f"it is seal {seal.n} at place {past.count + 1}: seals are missing, added or re-ordered"
            )
        if seal.previous != past.sha256:
            place.append("it does not follow the seal before it")
        if seal.project != (past.project or seal.project):
            place.append("it is of another chain")
        key = self._keys.get(seal.key)
        forged = key and self._forged(link, seal, key)
        latest = past.sealed_at
        if key and not forged:
            latest = seal.sealed_at if latest is None else max(latest, seal.sealed_at)
        self.past = Past(past.count + 1, link.sha256, past.project or seal.project, latest)
        unknown = () if key else (f"it is signed by key {seal.key}, which is not known here",)
        why = (*unknown, *((forged,) if forged else ()), *place)
        return Trouble(why, forged=bool(forged), unknown_key=key is None) if why else None

    def _forged(self, link: Link, seal: Seal, key: KeyFile) -> str | None:
        if not key.signed(link.signed, link.signature):
            return "its signature is wrong: it was changed, or made without the key"
        if seal.sealed_at > key.valid_until:
            return f"it is dated after the end of key {seal.key}"
        latest = self.past.sealed_at
        if key.retired_at is not None and latest is not None and latest > key.retired_at:
            # Its own date is the signer's word; the seals before it are not.
            return f"key {seal.key} was retired before the seals in front of it were made"
        return None


def _link(line: bytes) -> Link:
    sha256 = _sha256(line)
    try:
        told = _decode(line)
        if told.seal.version != SEAL_VERSION:
            why = f"a seal of version {told.seal.version}: this release reads {SEAL_VERSION}"
            return Link(None, sha256, b"", b"", why)
        signature = b64decode(told.signature, validate=True)
        signed = line[len(_HEAD) : -_TAIL_LENGTH]
        if line != _line(signed, signature):
            # Some bits of base64 and any white space mean nothing, and may not differ either.
            return Link(None, sha256, b"", b"", "it is not written as a seal is")
        return Link(told.seal, sha256, signature, signed)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        return Link(None, sha256, b"", b"", f"it is no seal: {str(error)[:120]}")


def _last_line(handle: int) -> tuple[bytes | None, int]:
    """The last whole line, and where it ends; what a crash left behind it is not counted."""
    end = _newline_before(handle, os.fstat(handle).st_size)
    if end < 0:
        return None, 0
    start = _newline_before(handle, end) + 1
    return os.pread(handle, end - start, start), end + 1


def _newline_before(handle: int, end: int) -> int:
    """Where the last newline in front of a place is, -1 where the file has none up to there."""
    while end > 0:
        start = max(0, end - _BLOCK_BYTES)
        found = os.pread(handle, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found
        end = start
    return -1


def _write_all(handle: int, content: bytes) -> None:
    while content:
        content = content[os.write(handle, content) :]


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    # Not the chain itself, which everybody may read: whoever can open a file can hold it.
    lock = lock_of(path)
    try:
        lease = take(lock, patience_s=LONGEST_WAIT_S)
    except PermissionError as error:
        raise RecordError(
            f"the seals in {str(path)!r} cannot be written: {error.strerror}",
            hint="have who owns the folder let you write to it, then `ecr-widgets audit seal`",
        ) from error
    if lease is None:
        raise RecordError(
            f"the seals in {str(path)!r} are in use: {lock.name!r} beside them was held by another process for"
            f" {LONGEST_WAIT_S:.0f} s",
            hint="once that has ended, or its file is removed where nothing runs: `ecr-widgets audit seal`",
        )
    with lease:
        try:
            handle = open_shared(path)
        except PermissionError as error:
            raise RecordError(
                f"the seals in {str(path)!r} cannot be written: {error.strerror}",
                hint="have who owns that file let you write to it (`chmod g+w`), then `ecr-widgets audit seal`",
            ) from error
        try:
            yield handle
        finally:
            os.close(handle)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


_decode = msgspec.json.Decoder(Line).decode


def export_head(heads: Heads) -> str:
    """The heads as one line to keep in a second place: a git repository, a ticket, paper."""
    return _encode(heads.to_json()).decode()


class _Exported(msgspec.Struct):
    """An exported head; the first release knew of no chains below."""

    project: str | None = None
    n: Annotated[int, msgspec.Meta(ge=1)] | None = None
    sha256: str | None = None
    below: dict[str, Head] = {}


def read_head(text: str) -> Heads:
    """Read an exported head.

    Raises:
        InputError: It is none.
    """
    why = "it names no chain"
    try:
        told = _decode_head(text)
        if told.project is not None and told.n is not None and told.sha256 is not None:
            return Heads(Head(told.project, told.n, told.sha256), told.below)
        if (told.project, told.n, told.sha256) == (None, None, None) and told.below:
            return Heads(None, told.below)
    except msgspec.MsgspecError as error:
        why = str(error)
    raise InputError(f"not an exported head: {why}", hint="make one with `ecr-widgets audit head`")


_encode = msgspec.json.Encoder().encode
_decode_head = msgspec.json.Decoder(_Exported).decode
