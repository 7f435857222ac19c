"""What is attached to an image, as lines for people."""

from __future__ import annotations

from collections.abc import Iterator

from ecr_widgets.model.evidence import ImageEvidence, Proof

_VERBS = {
    "push_image": "pushed",
    "copy_image": "copied",
    "tag_image": "tagged",
    "create_deploy": "stored in a deploy",
    "verify": "verified to run",
}


def told_of(found: ImageEvidence) -> Iterator[str]:
    """One line a run with what it did, when, who, and by which key; then what does not count, and what is of other kinds."""
    yield found.image
    digest = found.image.rpartition("@")[2]
    for proof in found.proofs:
        run = proof.run
        yield f"{run.verdict or run.state or '-':<11} {run.started_at or '-':<24}  {run.runbook or '-':<12} {run.run_id}"
        yield f"            {', '.join(_deeds(proof, digest))}"
        yield f"            by {run.actor or 'somebody unnamed'}{_approval(proof)}; {_chain(proof)}"
    for each in found.discounted:
        yield f"not counted {each.referrer}: {each.why}"
    for each in found.others:
        yield f"other kind  {each.referrer}: {each.why or 'no type is given'}"
    if found.left_out:
        yield f"not all was looked at: {found.left_out}"
    if not (found.proofs or found.discounted or found.others):
        yield "nothing is attached to it"


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
