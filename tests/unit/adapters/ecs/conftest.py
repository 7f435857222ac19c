"""The ECS adapter on an AWS that each test scripts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ecr_widgets.adapters.ecs.client import BotoEcs
from tests.unit.adapters.ecs.policy import allowed_actions
from tests.unit.adapters.ecs.scripted_aws import ScriptedAws


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedAws]:
    """A scripted AWS; afterwards, check that the documented policy allows every operation that the test called."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    aws = ScriptedAws()
    yield aws
    allowed = {each.partition(":")[2] for each in allowed_actions()} | {"GetCallerIdentity"}
    assert {operation for operation, _ in aws.asked} <= allowed


@pytest.fixture
def ecs(aws: ScriptedAws) -> BotoEcs:
    return aws.ecs()
