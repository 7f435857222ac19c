"""Which runs need another person's yes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ecr_widgets.runbooks import Runbook

APPROVAL_VARIABLE = "ECR_WIDGETS_APPROVAL"
"""Layer0 environments that nobody may change alone, separated by commas; `*` for all."""


def who_asks(runbook: Runbook, parameters: Mapping[str, Any], environ: Mapping[str, str]) -> str | None:
    """What asks for an approval, the runbook or its target; None where nothing does."""
    if runbook.approval:
        return f"runbook {runbook.name}"
    guarded = {name.strip() for name in environ.get(APPROVAL_VARIABLE, "").split(",")} - {""}
    declared = {each.name: each.default for each in runbook.parameters} | dict(parameters)
    target = declared.get("environment")
    if target is not None and guarded & {str(target), "*"}:
        return f"environment {target}"
    return None
