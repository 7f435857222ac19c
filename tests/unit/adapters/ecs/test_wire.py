"""JSON that is newer than the installed botocore."""

from __future__ import annotations

import json

import pytest

from ecr_widgets.adapters.ecs.client import BotoEcs
from ecr_widgets.errors import DeployTargetUnavailable, SettingsError
from tests.unit.adapters.ecs.samples import definition
from tests.unit.adapters.ecs.scripted_aws import ScriptedAws

DOCUMENT = {
    "containerDefinitions": [{"name": "web", "image": "web", "memberOf2031": {"deep": [1, None, ""]}}],
    "anotherOf2031": "",
}


def test_members_that_botocore_does_not_know_are_sent(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """Members unknown to botocore are sent at any depth, including empty values and nulls."""
    aws.answer("RegisterTaskDefinition", definition("web:3"))
    ecs.create_deploy("web", json.dumps(DOCUMENT).encode())
    assert aws.asked == [("RegisterTaskDefinition", {**DOCUMENT, "family": "web"})]


def test_members_that_botocore_does_not_know_are_read(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """A deploy's document contains members unknown to botocore as ECS returned them."""
    answer = definition("web:3", **DOCUMENT)
    aws.answer("DescribeTaskDefinition", answer | {"tags": [{"key": "team", "value": "blue"}]})
    stored = ecs.read_deploy("web:3").dockerrun
    expected = {**answer["taskDefinition"], "tags": [{"key": "team", "value": "blue"}]}
    assert json.loads(stored or b"") == expected


def test_nothing_is_added_to_a_request(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """A request contains only our parameters, without the token that botocore generates."""
    aws.answer("ListClusters", {"clusterArns": []})
    ecs.list_environments()
    assert aws.asked == [("ListClusters", {"maxResults": 100})]


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'"text"', b"\xff"])
def test_an_answer_that_is_no_json_object_is_not_ecss(aws: ScriptedAws, ecs: BotoEcs, body: bytes) -> None:
    """A proxy's page with status 200 is an error, not an empty list."""
    aws.answer("ListClusters", body)
    with pytest.raises(DeployTargetUnavailable, match="what answered ecs:ListClusters is not AWS"):
        ecs.list_environments()


@pytest.mark.parametrize("answer", [{"clusterArns": "demo"}, {"clusterArns": [1, {}]}, {"clusterArns": {}}])
def test_an_answer_of_another_form_is_said(aws: ScriptedAws, ecs: BotoEcs, answer: dict[str, object]) -> None:
    """JSON of another form is an error, not an empty list."""
    aws.answer("ListClusters", answer)
    with pytest.raises(DeployTargetUnavailable):
        ecs.list_environments()


def test_a_call_that_botocore_does_not_know_asks_for_a_newer_one(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """A call that the installed botocore does not know raises an error that asks for a newer boto3."""
    with pytest.raises(SettingsError, match="does not know ecs:FlyToTheMoon; pip install --upgrade boto3"):
        ecs._read("ecs:FlyToTheMoon")
