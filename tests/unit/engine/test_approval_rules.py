"""Which runs need another person's yes."""

from __future__ import annotations

import pytest

from ecr_widgets.engine.approval_rules import who_asks

ARN = "arn:aws:ecs:us-east-1:111222333444:cluster/prod"
GUARDED = {"ECR_WIDGETS_APPROVAL": "prod"}


@pytest.mark.parametrize(
    ("values", "computed", "environ", "asks"),
    [
        ({"environment": "prod"}, (), GUARDED, "environment prod"),
        ({"environment": "demo"}, (), GUARDED, None),
        ({}, (), GUARDED, None),
        ({}, ("environment",), GUARDED, "an environment that the notebook computes"),
        ({"environment": "demo"}, ("environment",), GUARDED, None),
        ({}, ("environment",), {}, None),
        ({"environment": "ecs:prod"}, (), GUARDED, None),
        ({"environment": "ecs:prod"}, (), {"ECR_WIDGETS_APPROVAL": "demo,ecs:prod"}, "environment ecs:prod"),
        ({"environment": ARN}, (), {"ECR_WIDGETS_APPROVAL": "ecs:prod"}, f"environment {ARN}"),
        ({"environment": "ecs:prod"}, (), {"ECR_WIDGETS_APPROVAL": ARN}, "environment ecs:prod"),
        ({"environment": "ecs:demo"}, (), {"ECR_WIDGETS_APPROVAL": ARN}, None),
    ],
)
def test_an_environment_that_is_not_known_may_be_a_guarded_one(
    values: dict[str, str], computed: tuple[str, ...], environ: dict[str, str], asks: str | None
) -> None:
    """A default that the notebook's cell computes is no way past the second person; a value that is given is known."""
    assert who_asks("book", values, environ, required=False, computed=computed) == asks
