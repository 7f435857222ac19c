"""The IAM policy in the documentation."""

from __future__ import annotations

import json
from pathlib import Path

POLICY = Path(__file__).parents[4] / "docs" / "ecs-policy.json"


def allowed_actions() -> set[str]:
    """Return all actions that the policy allows."""
    statements = json.loads(POLICY.read_text())["Statement"]
    return {action for each in statements for action in each["Action"]}
