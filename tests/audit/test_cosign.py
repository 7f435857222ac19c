"""cosign takes our seals unchanged, with a public key and no network, and refuses what it should."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ecr_widgets.audit.attestation import bundle_of, read_bundle
from ecr_widgets.audit.chain import chain_file
from ecr_widgets.audit.keys import KeyRing
from ecr_widgets.audit.sealing import seal_run
from ecr_widgets.model.evidence import RUN_TYPE
from tests.audit.cosign import SUITES, Cosign, cosign_of
from tests.audit.runs import save
from tests.engines.packages import NoPackages

NOW = datetime(2026, 11, 1, tzinfo=UTC)


# Downloading it, some 100 MB, is part of the first one.
@pytest.fixture(scope="module", params=SUITES)
def cosign(request: pytest.FixtureRequest) -> Iterator[Cosign]:
    """Each release of cosign; skips where there can be none, and says why."""
    try:
        with cosign_of(request.param) as found:
            yield found
    except NoPackages as error:
        pytest.skip(str(error))


@pytest.mark.timeout(600)
def test_cosign_verifies_a_seal_from_a_file(cosign: Cosign, tmp_path: Path) -> None:
    """The notebook with its seal and the exported key; a changed byte, another key, file or type is refused."""
    ring, other = KeyRing(tmp_path / "keys"), KeyRing(tmp_path / "other")
    path = save(tmp_path / "runs", "deployed")
    seal_run(tmp_path / "runs", path.name, ring=ring, now=NOW)
    line = chain_file(tmp_path / "runs").read_bytes().splitlines()[-1]
    key, wrong_key = (
        cosign.file(f"{name}.pub", each.signing_key(now=NOW)[0].pem.encode())
        for name, each in (("own", ring), ("other", other))
    )
    envelope = read_bundle(line)
    changed = bundle_of(envelope._replace(payload=envelope.payload.replace(b'"root"', b'"eve!"')))
    bundle, forged = cosign.file("bundle", line), cosign.file("forged", changed)
    notebook = cosign.file("run.ipynb", path.read_bytes())
    edited = cosign.file("edited.ipynb", path.read_bytes() + b" ")

    def verified(bundle: str, key: str, kind: str, notebook: str) -> bool:
        words = ["--bundle", bundle, "--key", key, "--type", kind, notebook]
        return cosign.run("verify-blob-attestation", *words)[0]

    assert verified(bundle, key, RUN_TYPE, notebook)
    assert not verified(forged, key, RUN_TYPE, notebook)
    assert not verified(bundle, wrong_key, RUN_TYPE, notebook)
    assert not verified(bundle, key, RUN_TYPE, edited)
    # cosign 2 does not look at the type of a bundle in a file.
    other_type = verified(bundle, key, "https://ecr-widgets.invalid/attestation/other/v1", notebook)
    assert other_type == (cosign.suite == "trixie")
