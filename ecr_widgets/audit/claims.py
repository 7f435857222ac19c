"""What a seal says about a run, made from the run's own records and the verdict on them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ecr_widgets.audit.judging import RULES, Judgement
from ecr_widgets.audit.run import SUCCEEDED, Run
from ecr_widgets.audit.subjects import Subjects
from ecr_widgets.model.evidence import Approval, Deed, Move, RunClaim, StepDone
from ecr_widgets.model.record import DEPLOYS
from ecr_widgets.model.times import to_rfc3339
from ecr_widgets.saved_runs.services import Services

ACTS = frozenset(("push_image", "copy_image", "tag_image", "create_deploy", "verify"))
"""Steps that act on an image, or prove that it runs; other steps only look, or act on something else."""
_PINNED = re.compile(r"([^@\s]+)@(sha256:[0-9a-f]{64})", re.ASCII)
_TAG = re.compile(r":[^/:]+\Z")


def claim_of(run: Run, judgement: Judgement, subjects: Subjects) -> RunClaim:
    """Return what to seal about a run."""
    touched: dict[str, list[str]] = {}
    for kind, name in sorted(subjects.pairs):
        touched.setdefault(kind, []).append(name)
    return RunClaim(
        run_id=run.run_id,
        runbook=run.runbook,
        runbook_sha256=run.runbook_sha256,
        state=run.state.value,
        verdict=judgement.verdict.value,
        rules=RULES,
        origin=run.origin.value,
        actor=run.actor,
        started_at=to_rfc3339(run.started_at),
        ended_at=to_rfc3339(run.ended_at),
        approval=_approval(run.approval),
        deeds=() if run.is_plan else tuple(_deeds(run)),
        moves=() if run.is_plan else tuple(_moves(run)),
        steps=tuple(StepDone(step.step, step.state.value, step.changed) for step in run.steps),
        touched={kind: tuple(names) for kind, names in touched.items()},
        deployed=tuple(name for name, changed in subjects.deployed.items() if changed),
        verified=tuple(sorted(subjects.verified)),
    )


def _deeds(run: Run) -> Iterator[Deed]:
    services = Services(run.steps)
    for step in run.steps:
        image = step.outcome.get("image") if step.step in ACTS and step.state is SUCCEEDED else None
        pinned = _PINNED.fullmatch(image) if isinstance(image, str) else None
        if pinned is None:
            continue
        environment, slash, service = (services.of(step) or "").partition("/")
        deploy_id = step.outcome.get("deploy_id")
        yield Deed(
            step.step,
            _TAG.sub("", pinned[1]),
            pinned[2],
            bool(step.changed),
            environment if slash else None,
            (service if slash else environment) or None,
            deploy_id if isinstance(deploy_id, str) else None,
        )


def _moves(run: Run) -> Iterator[Move]:
    services = Services(run.steps)
    for step in run.steps:
        if step.step not in DEPLOYS or (step.state is SUCCEEDED and not step.changed):
            continue
        before = "left_deploy_id" if step.step == "rollback" else "previous_deploy_id"
        deploy_id, previous = (
            step.outcome.get(each) or step.inputs.get(each) for each in ("deploy_id", before)
        )
        environment, slash, service = (services.of(step) or "").partition("/")
        if isinstance(deploy_id, str):
            yield Move(
                step.step,
                step.state.value,
                service if slash else environment,
                deploy_id,
                environment if slash else None,
                previous if isinstance(previous, str) else None,
            )


def _approval(approval: Any) -> Approval | None:
    if not isinstance(approval, dict) or not approval.get("approved_by"):
        return None
    members = {name: approval.get(name) for name in Approval.__struct_fields__}
    return Approval(**{name: value if isinstance(value, str) else None for name, value in members.items()})
