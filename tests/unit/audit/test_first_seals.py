"""Seals of the first release, which had another form and another kind of key, can still be read and verified."""

from __future__ import annotations

import json
import shutil
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ecr_widgets.audit.chain import chain_file, links_of
from ecr_widgets.audit.findings import Verification
from ecr_widgets.audit.index import open_index
from ecr_widgets.audit.keys import KeyRing, fingerprint
from ecr_widgets.audit.sealing import seal_run
from ecr_widgets.audit.verify import verify
from tests.audit.runs import RECORDED, save
from tests.unit.audit.test_attestation import is_right

FIRST = RECORDED / "first_seals"
NOW = datetime(2026, 11, 2, tzinfo=UTC)
NAMES = ("deployed.ipynb", "failed.ipynb", "proven.ipynb")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder as the first release left it: three runs, and one that was retired."""
    for name in NAMES:
        save(tmp_path / "runs", name.removesuffix(".ipynb"))
    shutil.copy(FIRST / "seals.jsonl", chain_file(tmp_path / "runs"))
    key = json.loads((FIRST / "key.json").read_text())
    (tmp_path / "keys").mkdir(mode=0o700)
    shutil.copy(FIRST / "key.json", tmp_path / "keys" / f"{key['key']}.json")
    return tmp_path / "runs"


def verified(runs: Path) -> Verification:
    return verify(
        runs, sorted(each.name for each in runs.glob("*.ipynb")), ring=KeyRing(runs.parent / "keys")
    )


def test_seals_of_the_first_release_are_in_order(runs: Path) -> None:
    """The first release's seals are intact, and its retired run is retired, in `audit verify` and in lists."""
    found = verified(runs)
    assert found.ok, found.to_json()
    assert {each.path: each.finding.value for each in found.files} == dict.fromkeys(NAMES, "intact") | {
        "gone.ipynb": "retired"
    }
    with open_index(runs, ring=KeyRing(runs.parent / "keys")) as index:
        assert {row.path: row.seal for row in index.rows()} == dict.fromkeys(NAMES, "intact")


@pytest.mark.parametrize("at", [20, 300, -20])
def test_a_changed_byte_in_a_seal_of_the_first_release_is_found(runs: Path, at: int) -> None:
    """A byte changed anywhere in a seal of the first release is found."""
    lines = chain_file(runs).read_bytes().split(b"\n")
    place = at % len(lines[1])
    changed = b"0" if lines[1][place : place + 1] != b"0" else b"1"
    lines[1] = lines[1][:place] + changed + lines[1][place + 1 :]
    chain_file(runs).write_bytes(b"\n".join(lines))
    assert not verified(runs).ok


def test_a_chain_of_the_first_release_goes_on(runs: Path) -> None:
    """A chain of the first release is continued by a bundle with the next number, signed by a new key."""
    save(runs, "interrupted")
    seal_run(runs, "interrupted.ipynb", ring=KeyRing(runs.parent / "keys"), now=NOW)
    seals = [link.seal for link in links_of(runs) if link.seal]
    assert [each.n for each in seals] == [1, 2, 3, 4, 5, 6]
    assert len({each.chain.project for each in seals}) == 1
    found = verified(runs)
    assert found.ok, found.to_json()
    assert len(found.keys) == 2


def test_a_key_of_the_first_release_is_used_on(tmp_path: Path) -> None:
    """A key of the first release signs bundles until it is replaced, and its public half can be exported as PEM."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    key = {
        "version": 1,
        "key": fingerprint(public),
        "public": b64encode(public).decode(),
        "created_at": "2026-10-01T00:00:00Z",
        "expires_at": "2028-10-01T00:00:00Z",
        "retired_at": None,
    }
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    (folder / f"{key['key']}.json").write_text(json.dumps(key, separators=(",", ":")))
    pem = folder / f"{key['key']}.pem"
    pem.touch(mode=0o600)
    pem.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    ring = KeyRing(folder)
    save(tmp_path / "runs", "deployed")
    seal_run(tmp_path / "runs", "deployed.ipynb", ring=ring, now=NOW)
    (own,) = ring.own().values()
    assert own.key == key["key"]
    assert is_right(chain_file(tmp_path / "runs").read_bytes().splitlines()[-1], own.pem)
    assert verify(tmp_path / "runs", ["deployed.ipynb"], ring=ring).ok
    new = ring.rotate(now=NOW + timedelta(days=1))
    assert (new.version, new.pem.splitlines()[0]) == (2, "-----BEGIN PUBLIC KEY-----")
