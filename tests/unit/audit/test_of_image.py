"""What the registry alone proves about an image, and that attachments by anyone who can push prove nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.audit import of_image
from ecr_widgets.audit.attestation import BUNDLE_TYPE, bundle_of, read_bundle
from ecr_widgets.audit.image_lines import lines_of
from ecr_widgets.audit.keys import KeyRing, export_keys
from ecr_widgets.errors import AuthorizationError
from ecr_widgets.model.evidence import Proof
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.referrers import IMAGE_INDEX
from tests.audit.attested import NOW, Attested, resigned
from tests.audit.runs import change_record, override_gate, steps_of


@pytest.fixture
def here(tmp_path: Path) -> Attested:
    return Attested.in_memory(tmp_path)


APPROVAL = {
    "requested_by": "alice",
    "approved_by": "bob",
    "approved_at": "2026-11-23T16:46:30.000Z",
    "plan": "plan-1",
    "plan_key": "b" * 32,
}


def in_production(notebook: dict[str, Any]) -> None:
    """The same run, moved to another environment, in an emergency."""
    override_gate(notebook, "INC-7")
    for record, data in steps_of(notebook):
        text = json.dumps(record).replace('"demo"', '"prod"')
        data["application/vnd.ecr-widgets.record+json"] = text


def rolled_back(notebook: dict[str, Any]) -> None:
    """The same run, as if the wait had rolled the service back."""
    for record, _ in steps_of(notebook):
        if record["step"] == "wait":
            back = {"deploy_id": "timeout.1", "left_deploy_id": "timeout.2", "service_id": "s"}
            change_record(
                notebook, "wait", step="rollback", state="succeeded", changed=True, error=None,
                inputs={"environment": "demo"}, outcome=back,
            )  # fmt: skip


class Auditor:
    """An auditor with only the image's digest and the signer's key."""

    def __init__(self, folder: Path) -> None:
        here = Attested.in_memory(folder)
        self.image = here.image()
        here.attach(here.seal(self.image, "run-1", kind="failed", change=rolled_back))
        here.attach(here.seal(self.image, "run-2", hours=1, actor="alice", approval=APPROVAL))
        here.attach(here.seal(self.image, "run-3", hours=2, change=in_production))
        self.key, _ = here.ring.signing_key(now=NOW)
        auditor = KeyRing(folder / "auditor")
        auditor.trust(export_keys([self.key]).encode(), [self.key.fingerprint])
        for left in (here.runs, here.ring.folder):
            left.rename(folder / f"gone-{left.name}")
        self.found = here.evidence(self.image, auditor)
        self.failed, self.proof, self.emergency = self.found.proofs
        self.run = self.proof.run
        self.text = "\n".join(lines_of(self.found))

    def deeds(self, proof: Proof) -> list[tuple[str, str | None, str | None, str | None]]:
        done = (each for each in proof.run.deeds if each.digest == self.image.digest)
        return [(each.step, each.environment, each.service, each.deploy_id) for each in done]


@pytest.fixture(scope="module")
def auditor(tmp_path_factory: pytest.TempPathFactory) -> Auditor:
    return Auditor(tmp_path_factory.mktemp("auditor"))


QUESTIONS: dict[str, tuple[Callable[[Auditor], object], object, str]] = {
    "What was changed, exactly?": (
        lambda of: (of.found.image, of.deeds(of.proof)),
        lambda of: (
            str(of.image),
            [
                ("push_image", None, None, None),
                ("create_deploy", None, None, "timeout.1"),
                ("verify", "demo", "timeoutsvc", "timeout.1"),
            ],
        ),
        "stored in a deploy as timeout.1",
    ),
    "Who asked for it, who did it?": (
        lambda of: (of.run.approval and of.run.approval.requested_by, of.run.actor),
        ("alice", "alice"),
        "by alice, approved",
    ),
    "Who approved, and was it somebody else?": (
        lambda of: (
            of.run.approval and of.run.approval.approved_by,
            of.run.approval and of.run.approval.plan_key != of.proof.key,
        ),
        ("bob", True),
        "approved by bob on 2026-11-23T16:46:30.000Z (plan plan-1)",
    ),
    "Approved before it was done?": (
        lambda of: of.run.approval and str(of.run.approval.approved_at) < str(of.run.started_at),
        True,
        "2026-11-23T16:46:32",
    ),
    "What exactly was approved?": (
        lambda of: (of.run.approval and of.run.approval.plan, of.run.runbook, len(str(of.run.runbook_sha256))),
        ("plan-1", "release", 64),
        "release",
    ),
    "When was it done?": (
        lambda of: str(of.run.started_at) < str(of.run.ended_at),
        True,
        "2026-11-23T16:46:32",
    ),
    "Tested before production?": (
        lambda of: [(each[1], proof.run.verdict) for proof in of.found.proofs for each in of.deeds(proof) if each[0] == "verify"],
        [("demo", "proven"), ("prod", "proven")],
        "verified to run in demo/timeoutsvc",
    ),
    "Did it work?": (
        lambda of: [(each.run.verdict, each.run.verified) for each in of.found.proofs],
        [("failed", ()), ("proven", ("demo/timeoutsvc",)), ("proven", ("prod/timeoutsvc",))],
        "proven ",
    ),
    "What ran before, and is there a way back?": (
        lambda of: [
            (each.step, each.environment, each.service, each.previous_deploy_id, each.deploy_id, each.state)
            for proof in (of.proof, of.failed)
            for each in proof.run.moves
        ],
        [
            ("update_service", "demo", "timeoutsvc", "timeout.2", "timeout.1", "succeeded"),
            ("update_service", "demo", "timeoutsvc", "timeout.1", "timeout.2", "succeeded"),
            ("rollback", "demo", "timeoutsvc", "timeout.2", "timeout.1", "succeeded"),
        ],
        "rolled back demo/timeoutsvc from timeout.2 to timeout.1",
    ),
    "Was it an emergency?": (
        lambda of: [(each.run.approval is None, each.run.touched.get("override")) for each in of.found.proofs[1:]],
        [(False, None), (True, ("prod",))],
        "overrode the policy for prod",
    ),
    "Was the policy asked?": (
        lambda of: [(each.step, each.state) for each in of.emergency.run.steps if each.step == "check_evidence"],
        [("check_evidence", "succeeded")],
        "",
    ),
    "Is the record complete?": (
        lambda of: ({each.project for each in of.found.proofs} == {of.proof.project}, [each.n for each in of.found.proofs]),
        (True, [1, 2, 3]),
        "seal 2 of chain",
    ),
    "Is it unaltered?": (lambda of: (of.found.discounted, of.found.left_out), ((), ""), ""),
    "Who can sign?": (
        lambda of: {each.key for each in of.found.proofs} == {of.key.key},
        True,
        "by key ",
    ),
}  # fmt: skip
"""What a reviewer of changes asks, how a program finds the answer, and the words that people read.

Why, and by which ticket, is in the notebook alone, unless that is attached as well; findings are asked of ECR itself.
"""


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_auditor_needs_no_folder_of_runs(auditor: Auditor, question: str) -> None:
    """An auditor gets each question answered from the registry alone, as data and as text."""
    ask, answer, words = QUESTIONS[question]
    assert ask(auditor) == (answer(auditor) if callable(answer) else answer)
    assert words in auditor.text


def test_a_statement_of_an_earlier_release_counts(here: Attested) -> None:
    """A statement of an earlier release, which does not say what ran before, still counts."""
    image = here.image()
    run = here.seal(image)
    moves = re.search(rb'"moves":\[.*?\],', read_bundle(run.line).payload)
    assert moves is not None
    here.put(image, resigned(run, here.ring, (moves[0], b"")))
    (proof,) = here.evidence(image).proofs
    assert (proof.run.moves, proof.run.verdict, len(proof.run.deeds)) == ((), "proven", 3)


def test_a_key_that_is_not_known_proves_nothing(here: Attested, tmp_path: Path) -> None:
    """A statement signed by an unknown key is listed as discounted and proves nothing."""
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
    "two signatures": (
        lambda here, image, run, _: here.put(image, re.sub(rb'({"sig":"[^"]+"})', rb"\1,\1", run.line)),
        "it is not a seal",
    ),
    "of another image, with this one as a second subject": (
        lambda here, image, run, _: here.put(
            image,
            resigned(
                here.seal(here.image("other"), "run-2"),
                here.ring,
                (
                    b'"subject":[',
                    b'"subject":[{"name":"x","digest":{"sha256":"%s"}},' % str(image.digest)[7:].encode(),
                ),
            ),
        ),
        "did not act on this image",
    ),
    "an index": (
        lambda here, image, run, _: here.put(
            image, run.line, mediaType=IMAGE_INDEX, layers=[], manifests=[{"digest": image.digest}]
        ),
        "not that of a statement",
    ),
    "no JSON": (lambda here, image, run, _: here.put(image, b"\x00"), "it is not a seal"),
    "cut": (lambda here, image, run, _: here.put(image, run.line[:-9]), "it is not a seal"),
    "written otherwise": (
        lambda here, image, run, _: here.put(image, json.dumps(json.loads(run.line)).encode()),
        "not in the form of a seal",
    ),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_forged_does_not_count(here: Attested, tmp_path: Path, attack: str) -> None:
    """A forged statement does not count, is listed with the reason, and does not hide the genuine one."""
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
    """A statement dated after its key's retirement is discounted; one from before counts, with a note."""
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
    """A retirement and a statement of an unknown type prove nothing about an image, although a known key signed them."""
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
    """A statement whose subjects do not match the images of its run's deeds is discounted."""
    image = here.image()
    run = here.seal(image)
    digest = str(image.digest).removeprefix("sha256:").encode()
    subject = b'"digest":{"sha256":"' + digest
    here.put(image, resigned(run, here.ring, (subject, subject.replace(digest, b"8" * 64))))
    (discounted,) = here.evidence(image).discounted
    assert "not about the images" in discounted.why


def test_other_kinds_are_named_and_not_read(here: Attested) -> None:
    """Other attachments, such as a bill of materials or SLSA provenance, are listed by type and not read."""
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
    """If the referrers list has no types, as some tools write it, each manifest is read for its type."""
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
    """At most a fixed number of statements is read per image, and the rest is reported as left out."""
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
    """If the registry refuses the token, an error is raised instead of reporting missing evidence."""
    image = here.image()
    here.registry._world.valid_passwords.clear()  # type: ignore[attr-defined]
    with pytest.raises(AuthorizationError):
        here.evidence(image)
