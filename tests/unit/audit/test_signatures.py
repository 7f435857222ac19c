"""Which keys sign and verify."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ecr_widgets.audit.signatures import (
    der_of,
    is_signed_by_p256,
    new_private_key,
    pem_of_der,
    signer_of,
)

OTHERS = (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048))


def test_what_a_new_key_signs_is_right() -> None:
    """A new key always signs with the lower of the two valid signatures, which verifies just the signed content."""
    private, public = new_private_key()
    signer = signer_of(private)
    for number in range(20):
        content = b"%d" % number
        signature = signer.sign(content)
        assert is_signed_by_p256(public, content, signature)
        assert not is_signed_by_p256(public, content + b"!", signature)
    assert pem_of_der(der_of(public)) == public


@pytest.mark.parametrize("private", OTHERS, ids=["P-384", "RSA"])
def test_a_key_of_another_kind_is_refused(private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    """A key of another kind can neither sign, nor be converted, nor verify."""
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public, der = (
        private.public_key().public_bytes(kind, serialization.PublicFormat.SubjectPublicKeyInfo)
        for kind in (serialization.Encoding.PEM, serialization.Encoding.DER)
    )
    for refused in (lambda: signer_of(pem), lambda: der_of(public.decode()), lambda: pem_of_der(der)):
        with pytest.raises(ValueError, match="not an ECDSA key on P-256"):
            refused()
    assert not is_signed_by_p256(public.decode(), b"content", b"0\x06\x02\x01\x01\x02\x01\x01")


@pytest.mark.parametrize("signature", [b"", b"\x00" * 64, b"0\x06\x02\x01\x01\x02\x01\x01", b"0\x80"])
def test_what_is_no_signature_verifies_nothing(signature: bytes) -> None:
    """Bytes that are no signature never verify."""
    assert not is_signed_by_p256(new_private_key()[1], b"content", signature)
