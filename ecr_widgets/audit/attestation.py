"""A seal as other people's tools read it: an in-toto statement in a DSSE envelope, in a sigstore bundle with a key's name.

Source: in-toto attestation framework, "Statement v1"; DSSE 1.0.2, "Protocol"; sigstore's bundle, version 0.3. The hint is nobody's
word: whoever verifies brings the key. The envelope names no key id, which some verifiers would take for another key's.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import Generic, NamedTuple, TypeVar

import msgspec

BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"

Predicate = TypeVar("Predicate")


class Subject(msgspec.Struct, frozen=True):
    """What a statement is about: what counts is the digest, the name is for people."""

    name: str
    digest: dict[str, str]


class Statement(msgspec.Struct, Generic[Predicate], frozen=True, rename={"type": "_type"}):
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


def bundle_of(envelope: Envelope) -> bytes:
    """A bundle in one line, always written the same way."""
    key = _encode(envelope.key)
    return b"".join(
        (
            b'{"mediaType":"'
            + BUNDLE_TYPE.encode()
            + b'","verificationMaterial":{"publicKey":{"hint":'
            + key,
            b'}},"dsseEnvelope":{"payload":"' + b64encode(envelope.payload),
            b'","payloadType":"' + PAYLOAD_TYPE.encode() + b'","signatures":[{"sig":"',
            b64encode(envelope.signature) + b'"}]}}',
        )
    )


class _PublicKey(msgspec.Struct):
    hint: str


class _Material(msgspec.Struct):
    publicKey: _PublicKey  # noqa: N815 -- as it is spelled


class _Signature(msgspec.Struct):
    sig: str


class _Dsse(msgspec.Struct):
    payload: str
    payloadType: str  # noqa: N815
    signatures: list[_Signature]


class _Bundle(msgspec.Struct):
    mediaType: str  # noqa: N815
    verificationMaterial: _Material  # noqa: N815
    dsseEnvelope: _Dsse  # noqa: N815


def read_bundle(content: bytes) -> Envelope:
    """Read a bundle that is written as ours are, to the byte: what means nothing in it may not differ either.

    Raises:
        ValueError: It is none, or written in another way.
    """
    try:
        told = _decode(content)
        (signature,) = told.dsseEnvelope.signatures
        envelope = Envelope(
            b64decode(told.dsseEnvelope.payload),
            b64decode(signature.sig),
            told.verificationMaterial.publicKey.hint,
        )
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise ValueError(str(error)[:120]) from error
    if bundle_of(envelope) != content:
        raise ValueError("it is not written as a seal is")
    return envelope


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Bundle).decode
