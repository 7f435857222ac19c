"""The chain of seals of a runs folder: one line a seal in `seals.jsonl`, each bound to the one before and signed.

A line is a sigstore bundle, as other tools read it; the seal is the predicate of the statement in it, and `previous` in that
is the sha256 of the bundle before, so that not a byte can change unnoticed. In front of it may be a line with the run's row, for
lists: the seal signs its hash, and it is never published, as it tells more than a seal does. Earlier releases wrote
`{"seal":{…},"signature":"…"}` in RFC 8785's canonical form, signed over the bytes of the seal: such lines stay good.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec

from ecr_widgets.audit.attestation import (
    Envelope,
    Statement,
    bundle_of,
    pre_authentication,
    read_bundle,
    statement_of,
)
from ecr_widgets.audit.canonical import Form
from ecr_widgets.audit.keys import KeyFile
from ecr_widgets.disk import to_disk
from ecr_widgets.errors import InputError, RecordError
from ecr_widgets.locks import lock_of, open_shared, take
from ecr_widgets.model.evidence import RETIREMENT_TYPE, RUN_TYPE, RunClaim
from ecr_widgets.model.record import Moment

FILE_NAME = "seals.jsonl"
_RETIRED = "retired"
"""State of an earlier release's seal that takes its file's loss for meant."""
_FIRST_VERSION = 1
_ROW = b'{"row":'
_HEAD = b'{"seal":'
_TAIL_LENGTH = len(b',"signature":"') + 88 + len(b'"}')
"""An Ed25519 signature is 64 bytes, 88 characters of base64."""
_BLOCK_BYTES = 1 << 16
_AT_ONCE = 200
LONGEST_WAIT_S = 10.0
"""For a chain that others add to; each of them takes far less than a second."""


class Notebook(msgspec.Struct, frozen=True, gc=False):
    """The file that was sealed, by hashes."""

    name: str
    """Relative to the folder of the chain, with slashes."""
    sha256: str
    form_sha256: str
    """Of what the notebook says, however it is written down: its cells with their outputs and records, and its metadata."""
    metadata: dict[str, str]
    cells: tuple[str, ...]

    @property
    def form(self) -> Form:
        """The form that was sealed."""
        return Form(self.form_sha256, self.metadata, self.cells)


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where in its chain a seal is."""

    project: str
    """Random, made with the first seal, so that no seal fits another chain."""
    n: int
    """Counts from 1 without a gap."""
    previous: str | None
    follows_own: bool = False
    """Whether the signer has checked that the seal before is by the same key: one signature then vouches for both."""


class Seal(msgspec.Struct, frozen=True, gc=False):
    """What is sealed of one run: which file said what, and what the run was, should the file vanish."""

    run: RunClaim
    notebook: Notebook
    sealed_at: Moment
    key: str
    chain: Place = Place("", 0, None)
    retired: bool = False
    """Whether it takes the file's loss for meant: all else in it is of the seal before."""
    row: str | None = None
    """The sha256 of the line with the run's row."""

    @property
    def n(self) -> int:
        """Its place in the chain, counting from 1."""
        return self.chain.n

    @property
    def path(self) -> str:
        """The notebook's name in the folder of the chain."""
        return self.notebook.name

    @property
    def run_id(self) -> str | None:
        """Of the run that was sealed."""
        return self.run.run_id

    @property
    def subjects(self) -> tuple[tuple[str, str], ...]:
        """What it is about, each with its sha256 in hex: the images that the run acted on, and the notebook."""
        images = {deed.digest: deed.repository for deed in self.run.deeds}
        named = ((name, digest.removeprefix("sha256:")) for digest, name in images.items())
        return (*named, (self.path, self.notebook.sha256))


class _FirstSeal(msgspec.Struct, frozen=True):
    """A seal as earlier releases wrote it."""

    version: int
    n: int
    project: str
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

    def seal(self) -> Seal:
        """The same as seals are now."""
        retired = self.state == _RETIRED
        run = RunClaim(
            self.run_id, self.runbook, self.runbook_sha256, None if retired else self.state, None, None, None,
            self.actor, self.started_at, self.ended_at,
            touched={"digest": self.digests, "deploy": self.deploys},
        )  # fmt: skip
        notebook = Notebook(self.path, self.file_sha256, self.form_sha256, self.metadata, self.cells)
        place = Place(self.project, self.n, self.previous)
        return Seal(run, notebook, self.sealed_at, self.key, place, retired)


class _FirstLine(msgspec.Struct, frozen=True):
    """One line of a chain as earlier releases wrote it."""

    seal: _FirstSeal
    signature: str


class Link(NamedTuple):
    """One line as it is in the file."""

    seal: Seal | None
    """None where the line cannot be read."""
    sha256: str
    signature: bytes
    line: bytes
    why: str | None = None
    """Why it cannot be read."""
    row: bytes | None = None
    """The row in front of it, which is not to be believed before its hash is compared."""
    size_bytes: int = 0
    """Of both in the file."""

    @property
    def signed(self) -> bytes:
        """The bytes that the signature is over."""
        if self.line.startswith(_HEAD):
            return self.line[len(_HEAD) : -_TAIL_LENGTH]
        return read_bundle(self.line).signed


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
    return links_in(BytesIO(content))


def links_in(lines: Iterable[bytes]) -> Iterator[Link]:
    """The same of its lines, each with its end."""
    row: bytes | None = None
    for line in lines:
        if not line.endswith(b"\n"):
            row = line
        elif row is None and line.startswith(_ROW):
            row = line[:-1]
        else:
            yield _link(line[:-1], row)
            row = None
    if row is not None:
        yield Link(None, _sha256(row), b"", row, "it was not written to its end")


class Appender:
    """Adds seals to a chain whose lock is held; nothing is in the file before `write`."""

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
        """Where the chain's whole lines end, in bytes."""

    def links_since(self, start: int) -> Iterator[Link]:
        """The links between a place that was an end before and the current end."""
        return read_links(os.pread(self._handle, max(0, self.end - start), start))

    def add(self, draft: Seal, sign: Callable[[bytes], bytes], *, row: bytes | None = None) -> Seal:
        """Add a seal behind the last one; its key and its place in the chain are set here.

        Args:
            row: The line with the run's row.
        """
        place = Place(self._project, self.last.n + 1 if self.last else 1, self._previous, self._follows_own)
        row_sha256 = None if row is None else _sha256(row)
        seal = msgspec.structs.replace(draft, key=self._key.key, chain=place, row=row_sha256)
        line = line_of(seal, sign)
        self.last, self._previous, self._follows_own = seal, _sha256(line), True
        self._lines += [line + b"\n"] if row is None else [row + b"\n", line + b"\n"]
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
def appending(runs: Path, key: KeyFile) -> Iterator[Appender]:
    """Hold the chain's lock, for which it waits a while, and look at where the chain ends.

    Args:
        key: What is added is signed by.

    Raises:
        RecordError: The chain's end cannot be read, so nothing can follow it; or others are at work on it for too long.

        OSError: The chain cannot be opened.
    """
    with _locked(chain_file(runs)) as handle:
        line, end = _last_line(handle)
        last = None if line is None else _link(line, None)
        if last is not None and last.seal is None:
            raise RecordError(
                f"the last seal in {str(chain_file(runs))!r} cannot be read: {last.why}",
                hint="see `ecr-widgets audit verify`",
            )
        yield Appender(handle, last, end, key)


def line_of(seal: Seal, sign: Callable[[bytes], bytes]) -> bytes:
    """The line of a seal, signed."""
    payload = statement_of(seal.subjects, RETIREMENT_TYPE if seal.retired else RUN_TYPE, seal)
    return bundle_of(Envelope(payload, sign(pre_authentication(payload)), seal.key))


def is_signed_by(link: Link, key: KeyFile) -> bool:
    """Whether a seal names that key and is signed by it, so that who holds the key may vouch for it."""
    named = link.seal is not None and link.seal.key == key.key
    return named and key.signed(link.signed, link.signature)


def head_of(links: list[Link]) -> Head | None:
    """Where the chain ends, None where it is empty or its last line cannot be read."""
    if not links or links[-1].seal is None:
        return None
    return Head(links[-1].seal.chain.project, links[-1].seal.n, links[-1].sha256)


class Trouble(NamedTuple):
    """What is wrong with one link."""

    why: tuple[str, ...]
    forged: bool
    """Whether the seal itself says nothing: its signature is wrong, or its key may not have signed it."""
    unknown_key: bool
    """Whether nobody here can tell, because the key is not known."""

    @property
    def is_only_unknown(self) -> bool:
        """Whether nothing else is wrong than that the key is not known here."""
        return self.unknown_key and len(self.why) == 1


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

    def look_at(self, links: Iterable[Link]) -> Iterator[tuple[Link, Trouble | None]]:
        """The next links, each with what is wrong with it, None where nothing is.

        A signature is checked where no later one of its own key vouches for it; that takes longer than all else in reading a chain.
        """
        due = iter(links)
        while some := list(islice(due, _AT_ONCE)):
            for link, is_signed in zip(some, self._signed(some), strict=True):
                yield link, self._look(link, is_signed=is_signed)

    def _signed(self, links: Sequence[Link]) -> list[bool]:
        """Whether each is signed by the key that it names."""
        found: list[bool] = []
        vouched: tuple[str | None, str] | None = None
        for link in reversed(links):
            seal = link.seal
            key = self._keys.get(seal.key) if seal is not None else None
            if seal is None or key is None:
                is_signed = False
            else:
                is_signed = (link.sha256, seal.key) == vouched or key.signed(link.signed, link.signature)
            vouched = (
                (seal.chain.previous, seal.key)
                if seal is not None and is_signed and seal.chain.follows_own
                else None
            )
            found.append(is_signed)
        return found[::-1]

    def _look(self, link: Link, *, is_signed: bool) -> Trouble | None:
        past, seal = self.past, link.seal
        if seal is None:
            self.past = msgspec.structs.replace(past, count=past.count + 1, sha256=link.sha256)
            return Trouble((link.why or "it is not a seal",), forged=True, unknown_key=False)
        place = []
        if seal.n != past.count + 1:
            place.append(
                f"it is seal {seal.n} at place {past.count + 1}: seals are missing, added or re-ordered"
            )
        if seal.chain.previous != past.sha256:
            place.append("it does not follow the seal before it")
        project = past.project or seal.chain.project
        if seal.chain.project != project:
            place.append("it is of another chain")
        if seal.row != (None if link.row is None else _sha256(link.row)):
            place.append("the row in front of it is not the one that it signs")
        key = self._keys.get(seal.key)
        forged = key and self._forged(seal, key, is_signed=is_signed)
        latest = past.sealed_at
        if key and not forged:
            latest = seal.sealed_at if latest is None else max(latest, seal.sealed_at)
        self.past = Past(past.count + 1, link.sha256, project, latest)
        unknown = () if key else (f"it is signed by key {seal.key}, which is not known here",)
        why = (*unknown, *((forged,) if forged else ()), *place)
        return Trouble(why, forged=bool(forged), unknown_key=key is None) if why else None

    def _forged(self, seal: Seal, key: KeyFile, *, is_signed: bool) -> str | None:
        if not is_signed:
            return "its signature is wrong: it was changed, or made without the key"
        if seal.sealed_at > key.valid_until:
            return f"it is dated after the end of key {seal.key}"
        latest = self.past.sealed_at
        if key.retired_at is not None and latest is not None and latest > key.retired_at:
            # Its own date is the signer's word; the seals before it are not.
            return f"key {seal.key} was retired before the seals in front of it were made"
        return None


def _link(line: bytes, row: bytes | None) -> Link:
    sha256 = _sha256(line)
    size_bytes = len(line) + 1 + (0 if row is None else len(row) + 1)
    try:
        seal, signature = (_first_line if line.startswith(_HEAD) else _bundle)(line)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        return Link(None, sha256, b"", line, f"it is not a seal: {str(error)[:120]}", row, size_bytes)
    return Link(seal, sha256, signature, line, None, row, size_bytes)


def _bundle(line: bytes) -> tuple[Seal, bytes]:
    envelope = read_bundle(line)
    statement = _decode(envelope.payload)
    seal = statement.predicate
    if statement.predicateType != (RETIREMENT_TYPE if seal.retired else RUN_TYPE):
        raise ValueError(
            f"a statement of type {statement.predicateType!r:.80}, which this release does not know"
        )
    if envelope.key != seal.key:
        raise ValueError("the bundle names another key than the seal")
    return seal, envelope.signature


def _first_line(line: bytes) -> tuple[Seal, bytes]:
    told = _decode_first(line)
    if told.seal.version != _FIRST_VERSION:
        raise ValueError(
            f"a seal of version {told.seal.version}: this release reads {_FIRST_VERSION} and bundles"
        )
    signature = b64decode(told.signature, validate=True)
    signed = line[len(_HEAD) : -_TAIL_LENGTH]
    if line != _HEAD + signed + b',"signature":"' + b64encode(signature) + b'"}':
        # Some bits of base64 and any white space mean nothing, and may not differ either.
        raise ValueError("it is not written as a seal is")
    return told.seal.seal(), signature


def _last_line(handle: int) -> tuple[bytes | None, int]:
    """The last whole seal, and where it ends; what a crash left behind it, a row or the beginning of a line, is not counted."""
    end = _newline_before(handle, os.fstat(handle).st_size)
    while end >= 0:
        start = _newline_before(handle, end) + 1
        line = os.pread(handle, end - start, start)
        if not line.startswith(_ROW):
            return line, end + 1
        end = start - 1
    return None, 0


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
            hint="ask the folder's owner to let you write to it, then `ecr-widgets audit seal`",
        ) from error
    if lease is None:
        raise RecordError(
            f"the seals in {str(path)!r} are in use: {lock.name!r} beside them was held by another process for"
            f" {LONGEST_WAIT_S:.0f} s",
            hint="when that has ended, or after removing its file if nothing runs: `ecr-widgets audit seal`",
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


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


_decode = msgspec.json.Decoder(Statement[Seal]).decode
_decode_first = msgspec.json.Decoder(_FirstLine).decode


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
