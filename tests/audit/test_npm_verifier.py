"""A second verifier that shares no code with us or with cosign: sigstore's JavaScript one, which npm carries inside itself."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ecr_widgets.audit.attestation import bundle_of, read_bundle
from ecr_widgets.audit.keys import KeyRing
from tests.unit.audit.test_attestation import sealed

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def test_npms_verifier_agrees(tmp_path: Path) -> None:
    """It takes a seal with the exported key, and refuses a changed one and another key."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("npm is not installed: apt-get install npm")
    root = subprocess.run([npm, "root", "-g"], capture_output=True, text=True, check=True).stdout.strip()
    folder = Path(root) / "npm"
    if not (folder / "node_modules" / "@sigstore" / "verify").is_dir():
        pytest.skip("this npm carries no verifier: npm 10 and newer do")
    line, ring = sealed(tmp_path)
    envelope = read_bundle(line)
    changed = bundle_of(envelope._replace(payload=envelope.payload.replace(b'"root"', b'"eve!"')))
    own, other = ring.signing_key(now=NOW)[0], KeyRing(tmp_path / "other").signing_key(now=NOW)[0]

    def verified(bundle: bytes, pem: str) -> bool:
        (tmp_path / "bundle").write_bytes(bundle)
        (tmp_path / "key").write_text(pem)
        script = Path(__file__).with_name("verify_bundle.mjs")
        words = [node, script, folder, tmp_path / "bundle", tmp_path / "key"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0 or "VerificationError" in done.stderr, done.stderr
        return done.returncode == 0

    assert verified(line, own.pem)
    assert not verified(changed, own.pem)
    assert not verified(line, other.pem)
