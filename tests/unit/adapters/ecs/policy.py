"""The IAM policy that the pages show."""

from __future__ import annotations

import json
from pathlib import Path

POLICY = Path(__file__).parents[4] / "docs" / "ecs-policy.json"


def allowed_actions() -> set[str]:
    """All actions that it allows."""
    statements = json.loads(POLICY.read_text())["Statement"]
    return {action for each in statements for action in each["Action"]}
