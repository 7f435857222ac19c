"""What the registry alone proves of an image, and what anybody who may push can hang on it without proving anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.audit import of_image
from ecr_widgets.audit.attestation import BUNDLE_TYPE, bundle_of, read_bundle
from ecr_widgets.audit.image_lines import told_of
from ecr_widgets.audit.keys import KeyRing, export_keys
from ecr_widgets.errors import AuthorizationError
from ecr_widgets.model.image_reference import ImageReference
from tests.audit.attested import NOW, Attested, resigned


@pytest.fixture
def here(tmp_path: Path) -> Attested:
    return Attested.in_memory(tmp_path)


def test_an_auditor_needs_no_folder_of_runs(here: Attested, tmp_path: Path) -> None:
    """What was done, by whom, when, from which runbook, who approved, did it work, what ran before: all from the registry."""
    image = here.image()
    approval = {
        "requested_by": "alice",
        "approved_by": "bob",
        "approved_at": "2026-11-23T16:46:30.000Z",
        "plan": "plan-1",
    }
    here.attach(here.seal(image, "run-1", kind="failed"))
    here.attach(here.seal(image, "run-2", hours=1, actor="alice", approval=approval))
    key, _ = here.ring.signing_key(now=NOW)
    auditor = KeyRing(tmp_path / "auditor")
    auditor.trust(export_keys([key]).encode(), [key.fingerprint])
    found = here.evidence(image, auditor)
    assert (found.image, found.discounted, found.others, found.left_out) == (str(image), (), (), "")
    earlier, proof = found.proofs
    run = proof.run
    # What was changed, exactly, and where?
    assert [
        (d.step, d.environment, d.service, d.deploy_id) for d in run.deeds if d.digest == image.digest
    ] == [
        ("push_image", None, None, None),
        ("create_deploy", None, None, "timeout.1"),
        ("verify", "demo", "timeoutsvc", "timeout.1"),
    ]
    # Who asked, who did it, who approved, before it was done?
    assert (run.actor, run.approval.requested_by, run.approval.approved_by) == ("alice", "alice", "bob")  # type: ignore[union-attr]
    assert run.approval is not None
    assert str(run.approval.approved_at) < str(run.started_at)
    # By which runbook, when, and did it work?
    assert (run.runbook, run.verdict, run.verified) == ("release", "proven", ("demo/timeoutsvc",))
    assert run.runbook_sha256 is not None
    assert str(run.started_at) < str(run.ended_at)
    # What ran before, and did that work? Is the record whole?
    assert (earlier.run.run_id, earlier.run.verdict) == ("run-1", "failed")
    assert [(each.project == proof.project, each.n) for each in found.proofs] == [(True, 1), (True, 2)]
    # Who can sign?
    assert {each.key for each in found.proofs} == {key.key}
    text = "\n".join(told_of(found))
    for word in (
        "proven",
        "failed",
        "pushed",
        "demo/timeoutsvc",
        "approved by bob",
        "seal 2 of chain",
        key.key,
    ):
        assert word in text


def test_a_key_that_is_not_known_proves_nothing(here: Attested, tmp_path: Path) -> None:
    """Whoever may push can attach; only who is known counts."""
    image = here.image()
    here.attach(here.seal(image))
    found = here.evidence(image, KeyRing(tmp_path / "nobody"))
    assert not found.proofs
    assert "not known here" in found.discounted[0].why


Attack = Callable[[Attested, ImageReference, Any, KeyRing], str]
ATTACKS: dict[str, tuple[Attack, str]] = {
    "changed": (
        lambda here, image, run, _: here.put(
            image,
            bundle_of(
                (e := read_bundle(run.line))._replace(payload=e.payload.replace(b'"root"', b'"eve!"'))
            ),
        ),
        "signature is wrong",
    ),
    "by another key": (
        lambda here, image, run, eve: here.put(image, resigned(run, eve)),
        "not known here",
    ),
    "by another key under the known one's name": (
        lambda here, image, run, eve: here.put(
            image,
            bundle_of(read_bundle(resigned(run, eve))._replace(key=run.seal.key)),
        ),
        "signature is wrong",
    ),
    "of another image": (
        lambda here, image, run, _: here.put(image, here.seal(here.image("other"), "run-2").line),
        "did not act on this image",
    ),
    "of another image, by its list alone": (
        lambda here, image, run, _: here.put(
            image, run.line, subject={"mediaType": "x", "digest": "sha256:" + "9" * 64, "size": 1}
        ),
        "",
    ),
    "two layers": (
        lambda here, image, run, _: here.put(image, run.line, layers=[
            {"mediaType": "x", "digest": here.registry.put_blob(image, b"x", here.token), "size": 1}] * 2),
        "not that of a statement",
    ),
    "too large": (
        lambda here, image, run, _: here.put(image, run.line + b" " * of_image.MAX_BUNDLE_BYTES),
        "larger than",
    ),
    "larger than it says": (
        lambda here, image, run, _: here.put(
            image,
            b"x",
            layers=[
                {
                    "mediaType": BUNDLE_TYPE,
                    "digest": here.registry.put_blob(image, b" " * 200_000, here.token),
                    "size": 5,
                }
            ],
        ),
        "larger than",
    ),
    "no JSON": (lambda here, image, run, _: here.put(image, b"\x00"), "it is no seal"),
    "cut": (lambda here, image, run, _: here.put(image, run.line[:-9]), "it is no seal"),
    "written otherwise": (
        lambda here, image, run, _: here.put(image, json.dumps(json.loads(run.line)).encode()),
        "not written as a seal is",
    ),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_forged_does_not_count(here: Attested, tmp_path: Path, attack: str) -> None:
    """And is named with the reason, beside what counts."""
    image = here.image()
    run = here.seal(image)
    here.attach(run)
    act, why = ATTACKS[attack]
    referrer = act(here, image, run, KeyRing(tmp_path / "eve"))
    found = here.evidence(image)
    assert [each.run.run_id for each in found.proofs] == ["run-1"]
    if why:
        assert [(each.referrer, why in each.why) for each in found.discounted] == [(referrer, True)]


def test_a_retired_key_proves_nothing_later_and_is_named(here: Attested) -> None:
    """A statement that is dated after its key's end does not count; one from before it does, with a note."""
    image = here.image()
    here.attach(here.seal(image))
    old, _ = here.ring.signing_key(now=NOW)
    late = here.seal(image, "run-2", hours=5)
    here.attach(late)
    here.ring.rotate(now=NOW.replace(hour=1))
    found = here.evidence(image)
    assert [(each.run.run_id, "was retired" in each.note) for each in found.proofs] == [("run-1", True)]
    assert [each.why for each in found.discounted] == [f"it is dated after the end of key {old.key}"]


def test_a_retirement_is_no_proof(here: Attested) -> None:
    """That a run's file was removed says nothing of an image, though the same key signed it."""
    image = here.image()
    run = here.seal(image)
    here.put(
        image,
        resigned(run, here.ring, (b'"retired":false', b'"retired":true')),
    )
    here.put(image, resigned(run, here.ring, (b"attestation/run/", b"attestation/other/")))
    found = here.evidence(image)
    assert not found.proofs
    assert len(found.discounted) == 2


def test_a_statement_that_names_fewer_images_than_its_run_is_none(here: Attested) -> None:
    """What other tools match, the subjects, and what we match, the deeds, must agree."""
    image = here.image()
    run = here.seal(image)
    digest = str(image.digest).removeprefix("sha256:").encode()
    subject = b'"digest":{"sha256":"' + digest
    here.put(image, resigned(run, here.ring, (subject, subject.replace(digest, b"8" * 64))))
    (discounted,) = here.evidence(image).discounted
    assert "not about the images" in discounted.why


def test_other_kinds_are_named_and_not_read(here: Attested) -> None:
    """A signature, a bill of materials, another tool's statement."""
    image = here.image()
    here.attach(here.seal(image))
    here.put(image, b"sbom", artifactType="application/spdx+json")
    here.put(
        image, b"slsa", annotations={"dev.sigstore.bundle.predicateType": "https://slsa.dev/provenance/v1"}
    )
    found = here.evidence(image)
    assert len(found.proofs) == 1
    assert sorted(each.why for each in found.others) == [
        "application/spdx+json",
        "https://slsa.dev/provenance/v1",
    ]
    assert not found.discounted


def test_a_list_without_types_is_read_by_its_manifests(
    here: Attested, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As some tools write the fallback tag."""
    from dataclasses import replace

    image = here.image()
    here.attach(here.seal(image))
    listed = here.registry.list_referrers(image, here.token)
    untyped = replace(
        listed, entries=tuple(replace(each, artifact_type="", annotations={}) for each in listed.entries)
    )
    monkeypatch.setattr(here.registry, "list_referrers", lambda *_, **__: untyped)
    assert len(here.evidence(image).proofs) == 1


def test_a_flood_of_statements_is_read_in_part_and_said_to_be(
    here: Attested, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever hangs on an image, the cost of looking at it is bounded."""
    monkeypatch.setattr(of_image, "MAX_READ", 5)
    image = here.image()
    for number in range(8):
        here.put(image, f"{number}".encode())
    reads: list[str] = []
    read = here.registry.read_manifest

    def counted(named: ImageReference, token: Any) -> Any:
        reads.append(str(named))
        return read(named, token)

    monkeypatch.setattr(here.registry, "read_manifest", counted)
    found = here.evidence(image)
    assert len(reads) == 5
    assert "more than 5 statements" in found.left_out


def test_a_refused_token_is_an_error_and_no_lack_of_evidence(here: Attested) -> None:
    """Nothing is concluded from a registry that does not answer."""
    image = here.image()
    here.registry._world.valid_passwords.clear()  # type: ignore[attr-defined]
    with pytest.raises(AuthorizationError):
        here.evidence(image)
