"""A seal in the form that other tools read: an in-toto statement in a DSSE envelope, in a sigstore bundle that hints at the key.

Source: in-toto attestation framework, "Statement v1"; DSSE 1.0.2, "Protocol"; sigstore's bundle, version 0.3. The hint
is unsigned: the verifier must have the key. The envelope has no key id, because some verifiers would take it for another key's.
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
    """What a statement is about: the digest counts, the name is for people."""

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
        """The sha256 of each subject, in hex."""
        return frozenset(each.digest.get("sha256", "") for each in self.subject)


class Envelope(NamedTuple):
    """The content of a bundle."""

    payload: bytes
    signature: bytes
    key: str
    """The name of the signer's key; unsigned."""

    @property
    def signed(self) -> bytes:
        return pre_authentication(self.payload)


def statement_of(subjects: Iterable[tuple[str, str]], predicate_type: str, predicate: object) -> bytes:
    """Return the payload of a statement, for signing.

    Args:
        subjects: Names with their sha256 in hex.
    """
    about = tuple(Subject(name, {"sha256": sha256}) for name, sha256 in subjects)
    return _encode(Statement(STATEMENT_TYPE, about, predicate_type, predicate))


def pre_authentication(payload: bytes) -> bytes:
    """Return the bytes to sign for a payload: its type and the payload, each with its length."""
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
    """A bundle, member by member as it is written; bytes are base64."""

    mediaType: str  # noqa: N815
    verificationMaterial: _Material  # noqa: N815
    dsseEnvelope: _Dsse  # noqa: N815


def bundle_of(envelope: Envelope) -> bytes:
    """Return the bundle as one line, always written the same way."""
    dsse = _Dsse(envelope.payload, PAYLOAD_TYPE, (_Signature(envelope.signature),))
    return _encode(_Bundle(BUNDLE_TYPE, _Material(_PublicKey(envelope.key)), dsse))


def read_bundle(content: bytes) -> Envelope:
    """Read a bundle that is byte for byte written like ours: even meaningless bytes may not differ.

    Raises:
        ValueError: Not a bundle, or written differently.
    """
    try:
        bundle = _decode(content)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)[:120]) from error
    dsse = bundle.dsseEnvelope
    if (bundle.mediaType, dsse.payloadType) != (BUNDLE_TYPE, PAYLOAD_TYPE) or _encode(bundle) != content:
        raise ValueError("it is not in the form of a seal")
    return Envelope(dsse.payload, dsse.signatures[0].sig, bundle.verificationMaterial.publicKey.hint)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Bundle).decode
