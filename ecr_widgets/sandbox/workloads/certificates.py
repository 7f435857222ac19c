"""Load balancers' certificates: a self-signed one for each name or ARN, kept next to the state."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_LIFE = timedelta(days=365)


class Certificates:
    """Creates certificates on first use.

    Args:
        folder: Where they are kept, each as one PEM file that includes its key.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def context(self, name: str, arn: str) -> ssl.SSLContext:
        """The TLS context for a listener."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path(name, arn))
        return context

    def path(self, name: str, arn: str) -> Path:
        """A certificate's PEM file, created on first use."""
        wanted = arn or name or "default"
        path = self._folder / (hashlib.sha256(wanted.encode()).hexdigest()[:16] + ".pem")
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            content = _make(name or arn.rpartition("/")[2] or "sandbox")
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
        return path


def _make(common_name: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])
    start = datetime.now(UTC) - timedelta(minutes=5)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + _LIFE)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
