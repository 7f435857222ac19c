"""A seal as other people's tools read it: an in-toto statement in a DSSE envelope, in a sigstore bundle with a key's name.

Source: in-toto attestation framework, "Statement v1"; DSSE 1.0.2, "Protocol"; sigstore's bundle, version 0.3. The hint is nobody's
word: whoever verifies brings the key. The envelope names no key id, which some verifiers would take for another key's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, NamedTuple, TypeVar

import msgspec

BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"

Predicate = TypeVar("Predicate")


class Subject(msgspec.Struct, frozen=True, gc=False):
    """What a statement is about: what counts is the digest, the name is for people."""

    name: str
    digest: dict[str, str]


class Statement(msgspec.Struct, Generic[Predicate], frozen=True, gc=False, rename={"type": "_type"}):
    """An in-toto statement."""

    type: str
    subject: tuple[Subject, ...]
    predicateType: str  # noqa: N815 -- as it is spelled
    predicate: Predicate

    @property
    def sha256s(self) -> frozenset[str]:
        """What it is about, in hex."""
        return frozenset(each.digest.get("sha256", "") for each in self.subject)


class Envelope(NamedTuple):
    """What is in a bundle."""

    payload: bytes
    signature: bytes
    key: str
    """The signer's key by its name; unsigned."""

    @property
    def signed(self) -> bytes:
        """The bytes that the signature is over."""
        return pre_authentication(self.payload)


def statement_of(subjects: Iterable[tuple[str, str]], predicate_type: str, predicate: object) -> bytes:
    """A statement as it is signed.

    Args:
        subjects: Names with their sha256 in hex.
    """
    about = tuple(Subject(name, {"sha256": sha256}) for name, sha256 in subjects)
    return _encode(Statement(STATEMENT_TYPE, about, predicate_type, predicate))


def pre_authentication(payload: bytes) -> bytes:
    """What is signed of a payload: it and its type, each with its length."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


class _PublicKey(msgspec.Struct, gc=False):
    hint: str


class _Material(msgspec.Struct, gc=False):
    publicKey: _PublicKey  # noqa: N815 -- as it is spelled


class _Signature(msgspec.Struct, gc=False):
    sig: bytes


class _Dsse(msgspec.Struct, gc=False):
    payload: bytes
    payloadType: str  # noqa: N815
    signatures: tuple[_Signature]


class _Bundle(msgspec.Struct, gc=False):
    """As it is written, member by member; bytes are base64."""

    mediaType: str  # noqa: N815
    verificationMaterial: _Material  # noqa: N815
    dsseEnvelope: _Dsse  # noqa: N815


def bundle_of(envelope: Envelope) -> bytes:
    """A bundle in one line, always written the same way."""
    dsse = _Dsse(envelope.payload, PAYLOAD_TYPE, (_Signature(envelope.signature),))
    return _encode(_Bundle(BUNDLE_TYPE, _Material(_PublicKey(envelope.key)), dsse))


def read_bundle(content: bytes) -> Envelope:
    """Read a bundle that is written as ours are, to the byte: what means nothing in it may not differ either.

    Raises:
        ValueError: It is none, or written in another way.
    """
    try:
        bundle = _decode(content)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)[:120]) from error
    dsse = bundle.dsseEnvelope
    if (bundle.mediaType, dsse.payloadType) != (BUNDLE_TYPE, PAYLOAD_TYPE) or _encode(bundle) != content:
        raise ValueError("it is not written as a seal is")
    return Envelope(dsse.payload, dsse.signatures[0].sig, bundle.verificationMaterial.publicKey.hint)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Bundle).decode
