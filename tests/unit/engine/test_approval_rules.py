"""Which runs need a second person's approval."""

from __future__ import annotations

import pytest

from ecr_widgets.adapters.layer0.client import Layer0Api
from ecr_widgets.engine.approval_rules import who_asks
from ecr_widgets.model.layer0 import Environment

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
        (
            {"environment": "demo", "cluster": "ecs:prod"},
            (),
            {"ECR_WIDGETS_APPROVAL": "ecs:prod"},
            "cluster ecs:prod",
        ),
        ({"environment": "demo", "cluster": ""}, (), {"ECR_WIDGETS_APPROVAL": "ecs:prod"}, None),
        ({"cluster": "prod"}, (), {"ECR_WIDGETS_APPROVAL": "*"}, None),
        ({}, ("cluster",), GUARDED, "a cluster that the notebook computes"),
        (
            {"environment": "ecs:l0-p-prod1"},
            (),
            {"ECR_WIDGETS_APPROVAL": "prod1"},
            "environment ecs:l0-p-prod1",
        ),
        ({"environment": "ecs:l0-p-demo1"}, (), {"ECR_WIDGETS_APPROVAL": "prod1"}, None),
    ],
)
def test_an_environment_that_is_not_known_may_be_a_guarded_one(
    values: dict[str, str], computed: tuple[str, ...], environ: dict[str, str], asks: str | None
) -> None:
    """A guarded environment or cluster asks for an approval under each of its names, and also if a notebook computes it."""
    assert who_asks("book", values, environ, required=False, computed=computed) == asks


@pytest.mark.parametrize(
    ("cluster", "is_guarded"), [("ecs:l0-p-prod24e9e412", True), ("ecs:l0-p-demo0e9e412", False)]
)
def test_the_cluster_of_a_guarded_layer0_environment_is_guarded(
    monkeypatch: pytest.MonkeyPatch, cluster: str, *, is_guarded: bool
) -> None:
    """The ECS cluster of a guarded Layer0 environment asks for an approval as well."""
    prod = Environment("prod24e9e412", "prod")
    monkeypatch.setattr(Layer0Api, "find_environment", lambda _, name: {"prod": prod}.get(name))
    environ = GUARDED | {
        "LAYER0_API_ENDPOINT": "http://127.0.0.1:9",
        "LAYER0_AUTH_TOKEN": "bGF5ZXIwOm5vaGF4cGx6",
    }
    asks = who_asks("book", {"environment": cluster}, environ, required=False)
    assert asks == (f"environment {cluster}" if is_guarded else None)
