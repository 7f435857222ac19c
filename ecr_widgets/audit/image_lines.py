"""What is attached to an image, as lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

from ecr_widgets.model.evidence import ImageEvidence, Move, Proof

_VERBS = {
    "push_image": "pushed",
    "copy_image": "copied",
    "tag_image": "tagged",
    "create_deploy": "stored in a deploy",
    "verify": "verified to run",
}


def lines_of(evidence: ImageEvidence) -> Iterator[str]:
    """Yield three lines per run: verdict and start, what it did, and by whom and which key; then all that does not count."""
    yield evidence.image
    digest = evidence.image.rpartition("@")[2]
    for proof in evidence.proofs:
        run = proof.run
        yield f"{run.verdict or run.state or '-':<11} {run.started_at or '-':<24}  {run.runbook or '-':<12} {run.run_id}"
        yield f"            {', '.join(_did(proof, digest))}"
        yield f"            by {run.actor or 'somebody unnamed'}{_approval(proof)}; {_chain(proof)}"
    for each in evidence.discounted:
        yield f"not counted {each.referrer}: {each.why}"
    for each in evidence.others:
        yield f"other kind  {each.referrer}: {each.why or 'no type is given'}"
    if evidence.left_out:
        yield f"not all was looked at: {evidence.left_out}"
    if not (evidence.proofs or evidence.discounted or evidence.others):
        yield "nothing is attached to it"


MOST_FACTS = 20


def facts_of(evidence: ImageEvidence) -> Iterator[tuple[str, str]]:
    """Yield the same in short as (kind, line): newest runs first, and at most `MOST_FACTS` of each kind."""
    digest = evidence.image.rpartition("@")[2]
    runs = (
        f"{proof.run.verdict or proof.run.state}, {proof.run.runbook} {proof.run.run_id}, {proof.run.started_at},"
        f" by {proof.run.actor or 'somebody unnamed'}{_approval(proof)}: {', '.join(_did(proof, digest))};"
        f" {_chain(proof)}"
        for proof in reversed(evidence.proofs)
    )
    discounted = (f"{each.referrer}: {each.why}" for each in evidence.discounted)
    others = (f"{each.why or 'no type is given'} {each.referrer}" for each in evidence.others)
    for kind, lines, count in (
        ("run", runs, len(evidence.proofs)),
        ("not counted", discounted, len(evidence.discounted)),
        ("other kind", others, len(evidence.others)),
    ):
        yield from ((kind, line) for line in islice(lines, MOST_FACTS))
        if count > MOST_FACTS:
            yield kind, f"{count - MOST_FACTS} more: `ecr-widgets audit of {evidence.image}`"
    if evidence.left_out:
        yield "left out", evidence.left_out
    if not (evidence.proofs or evidence.discounted or evidence.others):
        yield "run", "nothing is attached to it"


def _did(proof: Proof, digest: str) -> Iterator[str]:
    overridden = (f"overrode the policy for {place}" for place in proof.run.touched.get("override", ()))
    return chain(_deeds(proof, digest), map(_moved, proof.run.moves), overridden)


def _moved(move: Move) -> str:
    service = f"{move.environment}/{move.service}" if move.environment else move.service
    verb = "rolled back" if move.step == "rollback" else "moved"
    before = f" from {move.previous_deploy_id}" if move.previous_deploy_id else ""
    ended = "" if move.state == "succeeded" else f" ({move.state})"
    return f"{verb} {service}{before} to {move.deploy_id}{ended}"


def _deeds(proof: Proof, digest: str) -> Iterator[str]:
    for deed in proof.run.deeds:
        if deed.digest != digest:
            continue
        where = f" in {deed.environment}/{deed.service}" if deed.environment and deed.service else ""
        deploy = f" as {deed.deploy_id}" if deed.deploy_id else ""
        there = "" if deed.step in ("create_deploy", "verify") else f" to {deed.repository}"
        unchanged = "" if deed.changed or deed.step == "verify" else " (as it was)"
        yield f"{_VERBS.get(deed.step, deed.step)}{there}{where}{deploy}{unchanged}"


def _approval(proof: Proof) -> str:
    approval = proof.run.approval
    if approval is None:
        return ", without an approval"
    return f", approved by {approval.approved_by} on {approval.approved_at} (plan {approval.plan})"


def _chain(proof: Proof) -> str:
    note = f"; {proof.note}" if proof.note else ""
    return f"seal {proof.n} of chain {proof.project[:12]} by key {proof.key}{note}"
