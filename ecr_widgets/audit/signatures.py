"""Signatures of the two kinds that seals have: ECDSA on P-256, and Ed25519 from earlier releases.

Outside the sandbox, the only module that uses `cryptography`.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol, TypeVar

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

T = TypeVar("T")

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order of P-256. If (r, s) is a signature, so is (r, _ORDER - s); only the one with the lower s is accepted here."""


class Signer(Protocol):
    """Whatever holds a private half: a file, or AWS KMS, which never hands it out."""

    def sign(self, content: bytes) -> bytes:
        """Return a signature over the content."""


class LowS:
    """Signs with ECDSA through another signer, and always returns the lower of the two possible signatures.

    Args:
        sign: Returns a signature in DER form.
    """

    def __init__(self, sign: Callable[[bytes], bytes]) -> None:
        self._sign = sign

    def sign(self, content: bytes) -> bytes:
        r, s = decode_dss_signature(self._sign(content))
        return encode_dss_signature(r, min(s, _ORDER - s))


def new_private_key() -> tuple[bytes, str]:
    """Return a new private half, in PEM (PKCS 8, not encrypted), and its public half in PEM."""
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem, _pem(private.public_key())


def signer_of(private_pem: bytes) -> Signer:
    """Return the signer for a private half.

    Raises:
        ValueError: Not a private key, or one of another kind.
    """
    private = _loaded(lambda: serialization.load_pem_private_key(private_pem, password=None))
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return private
    if isinstance(private, ec.EllipticCurvePrivateKey) and isinstance(private.curve, ec.SECP256R1):
        return LowS(lambda content: private.sign(content, ec.ECDSA(hashes.SHA256())))
    raise ValueError("not an ECDSA key on P-256")


def pem_of_ed25519(public: str) -> str:
    """Convert the public half of an earlier release's key from base64 of its 32 bytes to PEM."""
    return _pem(ed25519.Ed25519PublicKey.from_public_bytes(b64decode(public)))


def pem_of_der(public: bytes) -> str:
    """Convert a public half from DER, the form that KMS returns, to PEM.

    Raises:
        ValueError: Not a public key, or one of another kind.
    """
    return _pem(_p256(_loaded(lambda: serialization.load_der_public_key(public))))


def der_of(public_pem: str) -> bytes:
    """Convert a public half to DER, which a key's name is made from.

    Raises:
        ValueError: Not a public key, or one of another kind.
    """
    return _der(_p256_in(public_pem))


def is_signed_by_p256(public_pem: str, content: bytes, signature: bytes) -> bool:
    """Whether the signature over the content is this key's, in the only form that is accepted."""
    try:
        r, s = decode_dss_signature(signature)
        if s > _ORDER // 2 or encode_dss_signature(r, s) != signature:
            return False
        _load(public_pem).verify(signature, content, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def is_signed_by_ed25519(public: str, content: bytes, signature: bytes) -> bool:
    """Whether the signature over the content is this earlier release's key's."""
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(b64decode(public)).verify(signature, content)
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=64)
def _load(public_pem: str) -> ec.EllipticCurvePublicKey:
    # Loading takes as long as a verification, and a chain has thousands of seals by one key.
    return _p256_in(public_pem)


def _p256_in(public_pem: str) -> ec.EllipticCurvePublicKey:
    return _p256(_loaded(lambda: serialization.load_pem_public_key(public_pem.encode())))


def _loaded(load: Callable[[], T]) -> T:
    """Return the loaded key; one that is encrypted or of an unknown kind is refused like any other bad file.

    Raises:
        ValueError: Not a key that can be loaded.
    """
    try:
        return load()
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(str(error)) from error


def _p256(key: object) -> ec.EllipticCurvePublicKey:
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise ValueError("not an ECDSA key on P-256")


def _pem(key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> str:
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def _der(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
