"""Whom a repository's policy allows besides its own account; what is not understood counts as anybody."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ecr_widgets.model.repository_policy import others_allowed

OWN, OTHER = "111222333444", "555666777888"


def policy(principal: Any, effect: str = "Allow", **more: Any) -> str:
    return json.dumps({"Statement": [{"Effect": effect, "Principal": principal, "Action": "ecr:*", **more}]})


@pytest.mark.parametrize(
    ("text", "others"),
    [
        (None, ()),
        (policy({"AWS": OWN}), ()),
        (policy({"AWS": [f"arn:aws:iam::{OWN}:role/deploy", f"arn:aws:sts::{OWN}:assumed-role/a/b"]}), ()),
        (policy({"AWS": f"arn:aws-cn:iam::{OWN}:root"}), ()),
        (policy("*", "Deny"), ()),
        (policy("*"), ("anybody",)),
        (policy({"AWS": "*"}, Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}), ("anybody",)),
        (policy({"AWS": [OWN, OTHER]}), (OTHER,)),
        (policy({"AWS": f"arn:aws:iam::{OTHER}:user/{OWN}"}), (f"arn:aws:iam::{OTHER}:user/{OWN}",)),
        (policy({"Service": "lambda.amazonaws.com"}), ("Service lambda.amazonaws.com",)),
        (policy({"AWS": "AIDAQ3EGAQUEEXAMPLE"}), ("AIDAQ3EGAQUEEXAMPLE",)),
        (json.dumps({"Statement": {"Effect": "Allow", "NotPrincipal": {"AWS": OTHER}}}), ("anybody",)),
        ("{}", ("anybody",)),
        ("[", ("anybody",)),
        (json.dumps({"Statement": ["x"]}), ("anybody",)),
        (policy(7), ("anybody",)),
    ],
)
def test_others_are_named(text: str | None, others: tuple[str, ...]) -> None:
    """Principals outside the own account are listed, and those of the account in any form are not."""
    assert others_allowed(text, OWN) == others
