"""What a seal is: what it says about one run, and its line, which is bound to the line before and signed.

A line is a sigstore bundle, as other tools read it. The seal is the predicate of its statement, and the seal's `previous` is the
sha256 of the bundle before, so that no byte can change unnoticed. A line with the run's row, for lists, may come before it: the
seal signs its hash, and it is never published, because it says more than a seal. Earlier releases wrote
`{"seal":{…},"signature":"…"}` in RFC 8785's canonical form, signed over the bytes of the seal: such lines remain valid.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from typing import NamedTuple

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
from ecr_widgets.model.evidence import RETIREMENT_TYPE, RUN_TYPE, RunClaim
from ecr_widgets.model.record import Moment

_RETIRED = "retired"
"""State of an earlier release's seal that treats the loss of its file as intended."""
_FIRST_VERSION = 1
ROW = b'{"row":'
"""The beginning of a row's line, which may come before a seal's."""
_HEAD = b'{"seal":'
_TAIL_LENGTH = len(b',"signature":"') + 88 + len(b'"}')
"""An Ed25519 signature is 64 bytes, 88 characters of base64."""


class Notebook(msgspec.Struct, frozen=True, gc=False):
    """The sealed file, as hashes."""

    name: str
    """Relative to the folder of the chain, with slashes."""
    sha256: str
    form_sha256: str
    """The hash of what the notebook says, however it is written: its cells with their outputs and records, and its metadata."""
    metadata: dict[str, str]
    cells: tuple[str, ...]

    @property
    def form(self) -> Form:
        """The form that was sealed."""
        return Form(self.form_sha256, self.metadata, self.cells)


class Place(msgspec.Struct, frozen=True, gc=False):
    """A seal's place in its chain."""

    project: str
    """Random, created with the first seal, so that no seal fits another chain."""
    n: int
    """Counts from 1 without gaps."""
    previous: str | None
    follows_own: bool = False
    """Whether the signer checked that the seal before is by the same key: then one signature vouches for both."""


class Seal(msgspec.Struct, frozen=True, gc=False):
    """What is sealed about one run: what the file said, and what the run was in case the file vanishes."""

    run: RunClaim
    notebook: Notebook
    sealed_at: Moment
    key: str
    chain: Place = Place("", 0, None)
    retired: bool = False
    """Whether it treats the loss of the file as intended: everything else in it is from the seal before."""
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
        return self.run.run_id

    @property
    def subjects(self) -> tuple[tuple[str, str], ...]:
        """The subjects, each with its sha256 in hex: the images that the run acted on, and the notebook."""
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
        """Convert it to a current seal."""
        retired = self.state == _RETIRED
        run = RunClaim(
            self.run_id, self.runbook, self.runbook_sha256, None if retired else self.state, None, None, None,
            self.actor, self.started_at, self.ended_at,
            touched={"digest": self.digests, "deploy": self.deploys},
        )  # fmt: skip
        notebook = Notebook(self.path, self.file_sha256, self.form_sha256, self.metadata, self.cells)
        place = Place(self.project, self.n, self.previous)
        return Seal(run, notebook, self.sealed_at, self.key, place, retired)


_OTHER_LINE_ENDS = "it ends in CR LF: a tool, such as git with core.autocrlf, changed the file's line ends; change them back to LF"


class _FirstLine(msgspec.Struct, frozen=True):
    """One line of a chain as earlier releases wrote it."""

    seal: _FirstSeal
    signature: str


class Link(NamedTuple):
    """One line of the file."""

    seal: Seal | None
    """None if the line cannot be read."""
    sha256: str
    signature: bytes
    line: bytes
    why: str | None = None
    """Why it cannot be read."""
    row: bytes | None = None
    """The row before it, which must not be trusted until its hash is checked."""
    size_bytes: int = 0
    """The size of both lines in the file."""

    @property
    def signed(self) -> bytes:
        """The bytes that are signed."""
        if self.line.startswith(_HEAD):
            return self.line[len(_HEAD) : -_TAIL_LENGTH]
        return read_bundle(self.line).signed


def read_links(content: bytes) -> Iterator[Link]:
    """Yield the links in a chain's bytes; a last line without a line end is a link that cannot be read."""
    return links_in(BytesIO(content))


def links_in(lines: Iterable[bytes]) -> Iterator[Link]:
    """Yield the links in a chain's lines, each with its line end."""
    row: bytes | None = None
    for line in lines:
        if not line.endswith(b"\n"):
            row = line
        elif row is None and line.startswith(ROW):
            row = line[:-1]
        else:
            yield link_of(line[:-1], row)
            row = None
    if row is not None:
        yield Link(None, sha256_of(row), b"", row, "it was not written to its end")


def line_of(seal: Seal, sign: Callable[[bytes], bytes]) -> bytes:
    """Return a seal's line, signed."""
    payload = statement_of(seal.subjects, RETIREMENT_TYPE if seal.retired else RUN_TYPE, seal)
    return bundle_of(Envelope(payload, sign(pre_authentication(payload)), seal.key))


def is_signed_by(link: Link, key: KeyFile) -> bool:
    """Whether a seal names this key and is signed by it, so that the key's holder may vouch for it."""
    named = link.seal is not None and link.seal.key == key.key
    return named and key.signed(link.signed, link.signature)


def link_of(line: bytes, row: bytes | None) -> Link:
    """Return the link for a line and the row before it, both without line ends."""
    sha256 = sha256_of(line)
    size_bytes = len(line) + 1 + (0 if row is None else len(row) + 1)
    try:
        seal, signature = (_first_line if line.startswith(_HEAD) else _bundle)(line)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        why = _OTHER_LINE_ENDS if line.endswith(b"\r") else f"it is not a seal: {str(error)[:120]}"
        return Link(None, sha256, b"", line, why, row, size_bytes)
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
    first = _decode_first(line)
    if first.seal.version != _FIRST_VERSION:
        raise ValueError(
            f"a seal of version {first.seal.version}: this release reads {_FIRST_VERSION} and bundles"
        )
    signature = b64decode(first.signature, validate=True)
    signed = line[len(_HEAD) : -_TAIL_LENGTH]
    if line != _HEAD + signed + b',"signature":"' + b64encode(signature) + b'"}':
        # Some bits of base64 and any white space are meaningless, but may not differ either.
        raise ValueError("it is not in the form of a seal")
    return first.seal.seal(), signature


def sha256_of(content: bytes) -> str:
    """The sha256 in hex, as seals use it for what they follow and sign."""
    return hashlib.sha256(content).hexdigest()


_decode = msgspec.json.Decoder(Statement[Seal]).decode
_decode_first = msgspec.json.Decoder(_FirstLine).decode
