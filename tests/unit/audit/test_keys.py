"""Exported public keys: a colleague can verify with them, and cannot sign."""

from __future__ import annotations

import os
from base64 import encodebytes
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ecr_widgets.audit.keys import KeyRing, export_keys, fingerprint
from ecr_widgets.audit.sealing import seal_run
from ecr_widgets.audit.verify import verify
from ecr_widgets.cli.audit import command
from ecr_widgets.errors import InputError, SettingsError
from tests.audit.runs import save

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def test_a_colleague_verifies_with_the_public_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A colleague who trusts an exported public key verifies the runs as in order, and gets no private key."""
    runs = tmp_path / "runs"
    save(runs, "deployed")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "mine"))
    cli = CliRunner()
    assert cli.invoke(command, ["seal", "--runs", str(runs)]).exit_code == 0
    exported = cli.invoke(command, ["key", "export"])
    # As PowerShell saves it.
    (tmp_path / "key").write_text(exported.stdout, encoding="utf-16")
    fingerprint = exported.stderr.split()[-1]
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "theirs"))
    assert cli.invoke(command, ["verify", "--runs", str(runs)]).exit_code == 1
    words = ["key", "trust", str(tmp_path / "key"), "--fingerprint"]
    assert cli.invoke(command, [*words, "0" * 32]).exit_code == 2
    assert cli.invoke(command, [*words, fingerprint]).exit_code == 0
    told = cli.invoke(command, ["verify", "--runs", str(runs)])
    assert (told.exit_code, "in order: 1 intact" in told.output) == (0, True)
    assert not list((tmp_path / "theirs").rglob("*.pem"))


def test_a_trusted_key_signs_nothing_here_and_is_not_retired_here(tmp_path: Path) -> None:
    """A trusted key does not sign or rotate here; its owner's retirement is taken over with a new export."""
    theirs, mine = KeyRing(tmp_path / "theirs"), KeyRing(tmp_path / "mine")
    key, _ = theirs.signing_key(now=NOW)
    mine.trust(export_keys([key]).encode(), [key.fingerprint])
    own, _ = mine.signing_key(now=NOW)
    assert own.key != key.key
    mine.rotate(now=NOW)
    assert mine.known()[key.key].retired_at is None
    assert key.key not in mine.own()
    theirs.rotate(now=NOW + timedelta(days=1))
    retired = theirs.own()[key.key]
    mine.trust(export_keys([retired]).encode(), [retired.fingerprint])
    assert mine.known()[key.key].retired_at == NOW + timedelta(days=1)


def test_only_what_was_named_is_trusted(tmp_path: Path) -> None:
    """Trusting keys takes nothing unless the export holds exactly the named keys, each with its own fingerprint."""
    ring = KeyRing(tmp_path / "mine")
    one, other = (KeyRing(tmp_path / name).signing_key(now=NOW)[0] for name in "ab")
    both = export_keys([one, other])
    lie = both.splitlines()[0].replace(one.key, other.key)
    for exported, names in (
        (both, [one.fingerprint]),
        ("", [one.fingerprint]),
        ("{}", [one.fingerprint]),
        (lie, [other.fingerprint]),
        # What seals call a key says nothing about its times.
        (both, [one.key, other.key]),
    ):
        with pytest.raises(InputError):
            ring.trust(exported.encode(), names)
    assert ring.known() == {}


def test_what_a_trusted_key_did_not_sign_is_found(tmp_path: Path) -> None:
    """A run sealed by a trusted key and changed since is reported as changed."""
    theirs, mine, runs = KeyRing(tmp_path / "theirs"), KeyRing(tmp_path / "mine"), tmp_path / "runs"
    save(runs, "deployed", "a.ipynb")
    seal_run(runs, "a.ipynb", ring=theirs, now=NOW)
    mine.trust(
        export_keys(theirs.own().values()).encode(), [key.fingerprint for key in theirs.own().values()]
    )
    assert verify(runs, ["a.ipynb"], ring=mine).ok
    save(runs, "proven", "a.ipynb")
    assert [each.finding for each in verify(runs, ["a.ipynb"], ring=mine).files] == ["changed"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to another user")
def test_another_users_keys_are_neither_believed_nor_used(tmp_path: Path) -> None:
    """Keys in a folder of another user are neither trusted nor used for signing."""
    ring = KeyRing(tmp_path / "keys")
    ring.signing_key(now=NOW)
    os.chown(tmp_path / "keys", 61001, 61001)
    assert ring.known() == {}
    with pytest.raises(SettingsError, match="belongs to another user"):
        ring.signing_key(now=NOW)


def test_an_export_without_its_retirement_is_not_what_was_named(tmp_path: Path) -> None:
    """An export whose retirement or expiry was changed on the way is refused: the fingerprint no longer matches."""
    theirs, mine = KeyRing(tmp_path / "theirs"), KeyRing(tmp_path / "mine")
    theirs.signing_key(now=NOW)
    theirs.rotate(now=NOW + timedelta(days=1))
    keys = list(theirs.own().values())
    names = [key.fingerprint for key in keys]
    for changed in (
        {"retired_at": None},
        {"retired_at": NOW + timedelta(days=100)},
        {"expires_at": NOW + timedelta(days=9999)},
    ):
        carried = [msgspec.structs.replace(key, **changed) if key.retired_at else key for key in keys]
        with pytest.raises(InputError, match="or their times, are not those of the given fingerprints"):
            mine.trust(export_keys(carried).encode(), names)
    assert mine.known() == {}
    mine.trust(export_keys(keys).encode(), names)
    assert mine.known() == theirs.own()


def test_a_retirement_that_is_known_stays(tmp_path: Path) -> None:
    """Once a key's retirement is known, an older or later-dated export does not change it."""
    theirs, mine = KeyRing(tmp_path / "theirs"), KeyRing(tmp_path / "mine")
    young, _ = theirs.signing_key(now=NOW)
    theirs.rotate(now=NOW + timedelta(days=1))
    retired = theirs.own()[young.key]
    later = msgspec.structs.replace(retired, retired_at=NOW + timedelta(days=9))
    for each in (retired, young, later):
        (kept,) = mine.trust(export_keys([each]).encode(), [each.fingerprint])
        assert kept.retired_at == mine.known()[young.key].retired_at == NOW + timedelta(days=1)


def test_a_retirement_that_is_trusted_holds_for_ones_own_key_too(tmp_path: Path) -> None:
    """A trusted retirement of one's own key, made on another machine, stops signing with it here."""
    here, there = KeyRing(tmp_path / "here"), KeyRing(tmp_path / "there")
    key, _ = here.signing_key(now=NOW)
    retired = msgspec.structs.replace(key, retired_at=NOW)
    here.trust(export_keys([retired]).encode(), [retired.fingerprint])
    assert here.known()[key.key].retired_at == NOW
    assert here.signing_key(now=NOW + timedelta(days=1))[0].key != key.key
    assert there.known() == {}


def another_kind(kind: str) -> bytes:
    """A private half that does not belong to the key."""
    secret: serialization.KeySerializationEncryption = serialization.NoEncryption()
    made: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = ec.generate_private_key(ec.SECP256R1())
    if kind == "encrypted":
        secret = serialization.BestAvailableEncryption(b"a password")
    if kind == "of another curve":
        made = ec.generate_private_key(ec.SECP384R1())
    if kind == "RSA":
        made = rsa.generate_private_key(65537, 2048)
    if kind == "no key":
        return b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    return made.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret)


def of_unknown_curve() -> str:
    """A public half on a curve with an unknown name."""
    whole = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip
    named = whole.replace(bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d030106"))
    return f"-----BEGIN PUBLIC KEY-----\n{encodebytes(named).decode()}-----END PUBLIC KEY-----\n"


@pytest.mark.parametrize("kind", ["another key's", "encrypted", "of another curve", "RSA", "no key"])
def test_a_private_half_that_is_not_the_keys_own_seals_nothing(tmp_path: Path, kind: str) -> None:
    """If the file of the private half holds another key or no key, signing is refused with an error."""
    ring = KeyRing(tmp_path / "keys")
    key, _ = ring.signing_key(now=NOW)
    (tmp_path / "keys" / f"{key.key}.pem").write_bytes(another_kind(kind))
    with pytest.raises(SettingsError, match="no signing key in"):
        ring.signing_key(now=NOW)


def test_a_folder_of_keys_that_cannot_be_made_is_named_with_the_way_out(tmp_path: Path) -> None:
    """Without a place for keys nothing can be sealed; the error names the folder once and says what to set."""
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError) as caught:
        KeyRing(tmp_path / "file" / "keys").signing_key(now=NOW)
    assert str(caught.value) == (
        f"no signing key in '{tmp_path}/file/keys': Not a directory; set XDG_DATA_HOME to a folder that this user can write"
    )


def test_a_public_half_of_an_unknown_kind_is_left_out(tmp_path: Path) -> None:
    """A public key of an unknown kind is ignored in the folder and refused in an export."""
    ring = KeyRing(tmp_path / "keys")
    key, _ = ring.signing_key(now=NOW)
    unknown = of_unknown_curve()
    odd = msgspec.structs.replace(key, public=unknown, key=fingerprint(unknown.encode()))
    (tmp_path / "keys" / f"{odd.key}.json").write_text(export_keys([odd]))
    assert list(ring.known()) == [key.key]
    with pytest.raises(InputError, match="not what its fingerprint says"):
        ring.trust(export_keys([odd]).encode(), [odd.fingerprint])
