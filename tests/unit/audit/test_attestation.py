"""Seals as other tools read them: what a line holds, and that it can be verified without this package."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from ecr_widgets.audit.attestation import Envelope, bundle_of, read_bundle
from ecr_widgets.audit.chain import chain_file, links_of
from ecr_widgets.audit.keys import KeyRing
from ecr_widgets.audit.retiring import retire_runs
from ecr_widgets.audit.sealing import seal_run
from tests.audit.runs import KINDS, recorded, save, statement

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SCHEMA = Path(__file__).parents[3] / "docs" / "attestation.schema.json"


def sealed(
    folder: Path, kind: str = "deployed", notebook: dict[str, Any] | None = None
) -> tuple[bytes, KeyRing]:
    """Return the line of one sealed run, and the key ring that sealed it."""
    ring = KeyRing(folder / "keys")
    save(folder / "runs", kind, notebook=notebook)
    seal_run(folder / "runs", f"{kind}.ipynb", ring=ring, now=NOW)
    return chain_file(folder / "runs").read_bytes().splitlines()[-1], ring


def is_right(line: bytes, public_pem: str) -> bool:
    """Verify a bundle by the specifications alone, without this package."""
    bundle = json.loads(line)
    envelope = bundle["dsseEnvelope"]
    body, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"].encode()
    signed = b" ".join([b"DSSEv1", str(len(kind)).encode(), kind, str(len(body)).encode(), body])
    (signature,) = (base64.b64decode(each["sig"]) for each in envelope["signatures"])
    key = serialization.load_pem_public_key(public_pem.encode())
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, signed)
        else:
            assert isinstance(key, ec.EllipticCurvePublicKey)
            key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def test_a_seal_is_verified_without_this_package(tmp_path: Path) -> None:
    """A seal is verified by the specification and a PEM key alone; a changed statement or another key is refused."""
    line, ring = sealed(tmp_path)
    (key,) = ring.own().values()
    other, _ = KeyRing(tmp_path / "other").signing_key(now=NOW)
    assert is_right(line, key.pem)
    assert not is_right(line, other.pem)
    envelope = read_bundle(line)
    changed = envelope._replace(payload=envelope.payload.replace(b'"root"', b'"eve!"'))
    assert not is_right(bundle_of(changed), key.pem)


def test_openssl_verifies_a_seal(tmp_path: Path) -> None:
    """OpenSSL verifies a seal, and refuses it when one byte is changed."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    line, ring = sealed(tmp_path)
    (key,) = ring.own().values()
    envelope = read_bundle(line)
    (tmp_path / "key").write_text(key.pem)
    (tmp_path / "signature").write_bytes(envelope.signature)
    words = ["dgst", "-sha256", "-verify", tmp_path / "key", "-signature", tmp_path / "signature"]
    for content, code in ((envelope.signed, 0), (envelope.signed[:-1] + b"!", 1)):
        done = subprocess.run([openssl, *words], input=content, capture_output=True, check=False)
        assert done.returncode == code, done.stderr


def test_a_statement_is_about_the_images_and_the_notebook(tmp_path: Path) -> None:
    """A statement's subjects are the images that the run acted on, by digest, and the notebook file as it is on disk."""
    told = statement(sealed(tmp_path)[0])
    content = (tmp_path / "runs" / "deployed.ipynb").read_bytes()
    run = told["predicate"]["run"]
    assert [each["digest"]["sha256"] for each in told["subject"]] == [
        run["deeds"][0]["digest"].removeprefix("sha256:"),
        hashlib.sha256(content).hexdigest(),
    ]
    assert told["subject"][0]["name"].endswith("/xfra-wait")
    assert [(deed["step"], deed.get("service")) for deed in run["deeds"]] == [
        ("push_image", None),
        ("create_deploy", None),
        ("verify", "timeoutsvc"),
    ]
    assert (run["verdict"], run["verified"]) == ("proven", ["demo/timeoutsvc"])


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_what_the_schema_says(tmp_path: Path, kind: str) -> None:
    """Statements of every kind of run and of a retired one match the schema, which refuses unknown members."""
    line, ring = sealed(tmp_path, kind)
    (tmp_path / "runs" / f"{kind}.ipynb").unlink()
    retire_runs(tmp_path / "runs", [f"{kind}.ipynb"], ring=ring, now=NOW + timedelta(hours=1))
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    retirement = chain_file(tmp_path / "runs").read_bytes().splitlines()[-1]
    types = []
    for each in (line, retirement):
        told = statement(each)
        jsonschema.validate(told, schema)
        types.append(told["predicateType"].split("/")[-2])
    assert types == ["run", "retirement"]
    told["predicate"]["run"]["host"] = "ops-host"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(told, schema)


def test_no_value_output_host_or_path_is_in_a_statement(tmp_path: Path) -> None:
    """No value, output, host or path of the notebook is in a statement."""
    notebook = recorded("deployed")
    notebook["metadata"]["ecr_widgets"] |= {
        "host": "host-canary",
        "parameters": {"tag": "value-canary"},
        "folder": "/path/canary",
        "reason": "reason-canary",
    }
    notebook["cells"][-1]["outputs"].append(
        {"output_type": "stream", "name": "stdout", "text": "output-canary"}
    )
    text = json.dumps(statement(sealed(tmp_path, notebook=notebook)[0]))
    assert "canary" not in text
    assert "20261123T164632Z-177291" in text


def test_a_plan_acted_on_nothing(tmp_path: Path) -> None:
    """A plan's statement names only its notebook as a subject, no image."""
    notebook = recorded("deployed")
    notebook["metadata"]["ecr_widgets"]["plan"] = True
    told = statement(sealed(tmp_path, notebook=notebook)[0])
    assert [each["name"] for each in told["subject"]] == ["deployed.ipynb"]


def test_an_approval_is_named(tmp_path: Path) -> None:
    """A statement says who requested and who approved the run, when, and which plan was approved."""
    notebook = recorded("deployed")
    approval = {
        "requested_by": "alice",
        "approved_by": "bob",
        "approved_at": "2026-11-01T00:00:00.000Z",
        "plan": "20261101T000000Z-abcdef",
        "plan_key": "0" * 32,
    }
    notebook["metadata"]["ecr_widgets"]["approval"] = approval | {"asked_by": "a rule", "files": {}}
    assert statement(sealed(tmp_path, notebook=notebook)[0])["predicate"]["run"]["approval"] == approval


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line.replace(b'{"mediaType"', b'{ "mediaType"'),
        lambda line: line.replace(b"bundle.v0.3", b"bundle.v0.4"),
        lambda line: line.replace(b'"publicKey":{', b'"publicKey":{"more":1,'),
        lambda line: line.replace(b'[{"sig"', b'[{"sig":""},{"sig"'),
        lambda line: line[:-20],
        lambda line: line.replace(b"==", b"=", 1) + b" ",
        lambda _: b"[" * 5000,
        lambda _: b'{"mediaType":""}',
    ],
)
def test_a_bundle_that_is_written_in_another_way_is_none(tmp_path: Path, change: Any) -> None:
    """A bundle that differs from its canonical spelling in any byte is refused."""
    line, _ = sealed(tmp_path)
    with pytest.raises(ValueError, match=r"."):
        read_bundle(change(line))


def test_the_other_signature_of_the_same_key_is_refused(tmp_path: Path) -> None:
    """The second valid ECDSA signature of the same content, which anyone can compute without the key, is refused."""
    line, ring = sealed(tmp_path)
    (key,) = ring.own().values()
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

    envelope = read_bundle(line)
    r, s = decode_dss_signature(envelope.signature)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    other = Envelope(envelope.payload, encode_dss_signature(r, order - s), envelope.key)
    assert is_right(bundle_of(other), key.pem)
    assert key.signed(envelope.signed, envelope.signature)
    assert not key.signed(other.signed, other.signature)


def test_a_statement_of_another_type_is_no_seal(tmp_path: Path) -> None:
    """A statement of a run does not pass as a retirement, although it is correctly signed."""
    line, ring = sealed(tmp_path)
    _, signer = ring.signing_key(now=NOW)
    envelope = read_bundle(line)
    payload = envelope.payload.replace(b"attestation/run/v1", b"attestation/retirement/v1")
    forged = Envelope(payload, b"", envelope.key)
    chain_file(tmp_path / "runs").write_bytes(
        bundle_of(forged._replace(signature=signer.sign(forged.signed))) + b"\n"
    )
    (link,) = links_of(tmp_path / "runs")
    assert link.seal is None
    assert "retirement" in (link.why or "")
