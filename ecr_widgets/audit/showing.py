"""One run in full, for people and programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ecr_widgets.audit.judging import judge
from ecr_widgets.audit.row import Row
from ecr_widgets.audit.run import Run
from ecr_widgets.audit.run_files import find_in
from ecr_widgets.model.bucket_path import Place
from ecr_widgets.model.record import StepRecord
from ecr_widgets.model.times import from_rfc3339

_NOTHING: tuple[object, ...] = (None, "", [], {})
_OF_STEPS = ("step", "state", "changed", "inputs", "outcome", "error", "started_at", "ended_at")

_ABOUT = (
    "run_id", "runbook", "state", "origin", "actor", "host", "started_at", "ended_at", "duration_s", "seal",
)  # fmt: skip


def show_run(runs: Place, row: Row) -> dict[str, Any]:
    """Return the row with reasons, approval and steps from the notebook: `{..., "approval", "steps": [{"step", "state", …}]}`."""
    run = find_in(runs, row.path)
    steps = [_step(step) for step in run.steps] if isinstance(run, Run) else []
    own = judge(run)
    # Only the row knows what the seal says.
    reasons = own.reasons if own.verdict == row.verdict else tuple(filter(None, (row.why,)))
    approval = run.approval if isinstance(run, Run) else None
    return row.to_json() | {"reasons": list(reasons), "approval": approval, "steps": steps}


def to_text(shown: Mapping[str, Any]) -> Iterator[str]:
    """Yield the same as lines for people."""
    yield f"{shown['verdict']}: {shown['path']}"
    for reason in shown["reasons"]:
        yield f"  because {reason}"
    yield from _about(shown)
    for name, value in (shown["approval"] or {}).items():
        yield f"  {name.replace('_', ' ')}: {_text(value)}"
    for name, value in shown["parameters"].items():
        if value not in _NOTHING:
            yield f"  parameter {name}: {json.dumps(value, ensure_ascii=False)}"
    for step in shown["steps"]:
        sign = {"succeeded": "✓", "failed": "✗"}.get(step["state"], "?")
        changed = "" if step["changed"] is None else f", changed: {json.dumps(step['changed'])}"
        yield f"  {sign} {step['step']} {step['state']}{_took(step)}{changed}, {step['started_at']}"
        for name, value in (step["outcome"] if step["error"] is None else step["error"]).items():
            if value in _NOTHING:
                continue
            if isinstance(value, Mapping) and len(value) > 1:
                yield f"      {name}:"
                yield from (f"        {at}: {_text(each)}" for at, each in value.items())
            else:
                yield f"      {name}: {_text(value)}"


def _about(shown: Mapping[str, Any]) -> Iterator[str]:
    what = " → ".join(filter(None, (shown["image"], shown["target"])))
    for name, value in (
        ("outcome", shown["outcome_words"]),
        ("what", what),
        ("why", shown["note"]),
        ("gate overridden", shown["overridden"]),
    ):
        if value:
            yield f"  {name}: {value}"
    for name in _ABOUT:
        if shown[name] is not None:
            yield f"  {name.replace('_', ' ')}: {shown[name]}"


def _took(step: Mapping[str, Any]) -> str:
    if step["ended_at"] is None:
        return ""
    took = from_rfc3339(step["ended_at"]) - from_rfc3339(step["started_at"])
    return f" in {took.total_seconds():.1f} s"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _step(step: StepRecord) -> dict[str, Any]:
    members = step.to_builtins()
    return {name: members[name] for name in _OF_STEPS}
