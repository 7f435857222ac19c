"""The documented IAM policy against the adapter's calls."""

from __future__ import annotations

import re
from pathlib import Path

import ecr_widgets.adapters.ecs
from tests.unit.adapters.ecs.policy import allowed_actions

_ACTION = re.compile(r'"((?:ecs|logs|elasticloadbalancing|application-autoscaling|sts):[A-Z][A-Za-z]+)"')
_NEEDS_NO_RIGHT = {"sts:GetCallerIdentity"}
_OF_WHAT_IS_SENT = {"iam:PassRole", "ecs:TagResource"}
"""Permissions that some parameters of a call need."""


def test_the_policy_allows_what_is_asked_and_nothing_more() -> None:
    """The policy allows exactly the actions that the adapter's code names, plus those that parameters need."""
    folder = Path(ecr_widgets.adapters.ecs.__file__).parent
    asked = {action for path in folder.glob("*.py") for action in _ACTION.findall(path.read_text())}
    assert allowed_actions() - _OF_WHAT_IS_SENT == asked - _NEEDS_NO_RIGHT
