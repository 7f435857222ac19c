"""Copies of a service, and the images that they run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ecr_widgets.adapters.ecs.client import BotoEcs
from ecr_widgets.adapters.ecs.copies import stop_reason
from ecr_widgets.model.services import Copy, TaskContainer
from tests.fakes import NOW
from tests.fakes.ecs import ADDRESS
from tests.unit.adapters.ecs.samples import AT, DIGEST, WEB, dead, definition, service, task
from tests.unit.adapters.ecs.scripted_aws import Refused, ScriptedAws


def test_copies_are_listed_oldest_first(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """Copies are listed oldest first with the digest of each container, health, start time and deployment."""
    young = task("2", "PENDING", createdAt=AT + 60, healthStatus="UNKNOWN")
    old = task("1", startedAt=AT + 1, healthStatus="HEALTHY")
    old["taskArn"] = f"{ADDRESS}:task/1"
    aws.answer("ListTasks", {"taskArns": ["x/2"], "nextToken": "more"}, {"taskArns": ["x/1"]})
    aws.answer("DescribeTasks", {"tasks": [young, old], "failures": [{"arn": "x/3", "reason": "MISSING"}]})
    aws.answer("DescribeTaskDefinition", definition())
    first, second = ecs.list_copies(WEB)
    assert first == Copy(
        ADDRESS.task("demo", "1"),
        "ecs-svc/2",
        "web:2",
        "RUNNING",
        "HEALTHY",
        NOW + timedelta(seconds=1),
        (TaskContainer("web", "RUNNING", None, "", DIGEST, essential=True),),
    )
    assert (second.status, second.health, second.started_at) == ("PENDING", "", None)
    assert aws.asked_for("ListTasks")[0]["desiredStatus"] == "RUNNING"
    assert aws.asked_for("DescribeTasks") == [{"cluster": "demo", "tasks": ["x/2", "x/1"]}]
    assert len(aws.asked_for("DescribeTaskDefinition")) == 1


def test_tasks_are_described_by_the_hundred(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """150 tasks are described in calls of 100 and 50, since ECS takes at most 100 in a call."""
    aws.answer("ListTasks", {"taskArns": [f"x/{number}" for number in range(150)]})
    aws.answer("DescribeTasks", {"tasks": []})
    assert ecs.list_copies(WEB) == ()
    assert [len(each["tasks"]) for each in aws.asked_for("DescribeTasks")] == [100, 50]


def test_a_copy_whose_deploy_is_gone_is_shown(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """A copy whose task definition is gone is still listed, and each of its containers counts as essential."""
    aws.answer("ListTasks", {"taskArns": ["x/1"]})
    aws.answer("DescribeTasks", {"tasks": [task()]})
    aws.answer("DescribeTaskDefinition", Refused("ClientException", "Unable to describe task definition."))
    (only,) = ecs.list_copies(WEB)
    assert [each.essential for each in only.containers] == [True]


def test_what_tags_were_resolved_to_is_of_revisions_and_of_copies(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """A service's images have the digests that ECS resolved for its revisions and running copies; one without is left out."""
    resolved = [
        {"containerName": "web", "image": "repo/web:1", "imageDigest": "sha256:" + "a" * 64},
        {"containerName": "side", "image": "side"},
    ]
    aws.answer("DescribeServices", {"services": [service(currentServiceRevisions=[{"arn": "r/1"}])]})
    aws.answer("DescribeServiceRevisions", {"serviceRevisions": [{"containerImages": resolved}]})
    aws.answer("ListTasks", {"taskArns": ["x/1", "x/2"]})
    aws.answer("DescribeTasks", {"tasks": [task("1"), task("2")]})
    assert ecs.resolved_images(WEB) == (f"repo/web@sha256:{'a' * 64}", f"repo/web@{DIGEST}")


@pytest.mark.parametrize(
    ("reason", "container", "expected"),
    [
        (
            "Essential container in task exited",
            {"exitCode": 137, "reason": "OutOfMemoryError: killed"},
            "Essential container in task exited (X): web ended with code 137 (OutOfMemoryError: killed)",
        ),
        (
            "CannotPullContainerError: gone",
            {"reason": "gone"},
            "CannotPullContainerError: gone (X): web never ran",
        ),
        ("", {"exitCode": 0}, "task stopped (X): web ended with code 0"),
        ("Timeout", {}, "Timeout (X)"),
    ],
)
def test_why_a_copy_stopped_is_one_sentence(reason: str, container: dict[str, Any], expected: str) -> None:
    """A stop reason is one sentence with what each container adds to it, and without repetition."""
    assert stop_reason(dead("1", "X", reason, container)) == expected
