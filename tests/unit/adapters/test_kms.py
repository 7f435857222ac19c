"""An AWS KMS key that signs seals, with moto's KMS."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from moto import mock_aws
from moto.kms.responses import KmsResponse

from ecr_widgets.adapters.kms import KmsKey
from ecr_widgets.audit.chain import chain_file
from ecr_widgets.audit.keys import KeyRing, default_ring, export_keys
from ecr_widgets.audit.sealing import seal_run
from ecr_widgets.audit.verify import verify
from ecr_widgets.cli.audit import command
from ecr_widgets.errors import EcrWidgetsError, SettingsError
from tests.audit.runs import save
from tests.unit.audit.test_attestation import is_right

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(KmsResponse, "sign", _sign)
    with mock_aws():
        yield boto3.client("kms", region_name="eu-west-1")


def _sign(self: Any) -> str:
    """Sign a digest: moto hashes every message, but AWS does not hash one declared as a digest."""
    key = self.kms_backend.describe_key(self._get_param("KeyId"))
    assert (self._get_param("MessageType"), self._get_param("SigningAlgorithm")) == (
        "DIGEST",
        "ECDSA_SHA_256",
    )
    digest = self._get_param("Message")
    signature = key.private_key.private_key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256())))
    return json.dumps({"KeyId": key.arn, "Signature": base64.b64encode(signature).decode()})


def made(kms: Any, **settings: str) -> str:
    settings = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"} | settings
    return str(kms.create_key(**settings)["KeyMetadata"]["Arn"])


def test_a_key_in_kms_seals_runs(kms: Any, tmp_path: Path) -> None:
    """A KMS key seals runs without a private key in the folder, and anyone with its public key can verify them."""
    arn = made(kms)
    ring = KeyRing(tmp_path / "keys")
    old, _ = ring.signing_key(now=NOW)
    key = ring.rotate(now=NOW + timedelta(hours=1), kms=arn)
    assert (key.kms, ring.own()[old.key].retired_at) == (arn, NOW + timedelta(hours=1))
    assert not list(ring.folder.glob("*.pem"))
    save(tmp_path / "runs", "deployed")
    # The KMS returns the higher of the two valid signatures about half of the time.
    for hours in range(2, 12):
        chain_file(tmp_path / "runs").unlink(missing_ok=True)
        seal_run(tmp_path / "runs", "deployed.ipynb", ring=ring, now=NOW + timedelta(hours=hours))
        assert verify(tmp_path / "runs", ["deployed.ipynb"], ring=ring).ok
    # The last line is the seal; the one before it is for lists.
    assert is_right(chain_file(tmp_path / "runs").read_bytes().splitlines()[-1], key.pem)
    told = json.loads(export_keys([key]))
    assert (told["kms"], told["public"]) == (arn, key.pem)
    colleague = KeyRing(tmp_path / "theirs")
    colleague.trust(export_keys([key]).encode(), [key.fingerprint])
    assert verify(tmp_path / "runs", ["deployed.ipynb"], ring=colleague).ok


def test_a_key_that_cannot_seal_retires_nothing(kms: Any, tmp_path: Path) -> None:
    """If the new KMS key cannot sign seals or does not exist, the current key stays in use."""
    ring = KeyRing(tmp_path / "keys")
    old, _ = ring.signing_key(now=NOW)
    other = made(kms, KeySpec="ECC_NIST_P384")
    gone = other.rpartition("/")[0] + "/00000000-0000-0000-0000-000000000000"
    koblitz = made(kms, KeySpec="ECC_SECG_P256K1")
    for arn in (other, koblitz, made(kms, KeySpec="RSA_2048"), gone, "alias/mine"):
        with pytest.raises(EcrWidgetsError):
            ring.rotate(now=NOW, kms=arn)
    assert ring.own()[old.key].retired_at is None
    with pytest.raises(
        SettingsError, match="does not sign by ECDSA_SHA_256; make a key with key spec ECC_NIST_P256"
    ):
        KmsKey(other).read_public_key()


def test_a_key_in_kms_is_taken_into_use_by_a_command(kms: Any, tmp_path: Path) -> None:
    """A command puts a KMS key into use, and another exports its public half in PEM."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path))
        cli = CliRunner()
        done = cli.invoke(command, ["rotate-key", "--kms", made(kms)])
        assert done.exit_code == 0, done.output
        (key,) = default_ring().own().values()
        assert f"key {key.key}" in done.output
        exported = cli.invoke(command, ["key", "export", "--pem"])
        assert exported.stdout == key.pem
        public = kms.get_public_key(KeyId=key.kms)["PublicKey"]
    assert base64.b64decode("".join(key.pem.splitlines()[1:-1])) == public
