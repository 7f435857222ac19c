"""Standalone tasks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ecr_widgets.adapters.ecs.client import BotoEcs
from ecr_widgets.errors import DeploymentFailed, EntityNotFound, OutcomeUnknown
from ecr_widgets.model.services import Summary
from tests.fakes.ecs import ADDRESS
from tests.unit.adapters.ecs.samples import CLUSTER, definition, task
from tests.unit.adapters.ecs.scripted_aws import Refused, ScriptedAws

TASK = ADDRESS.task("demo", "1f")
ENV = {"web": {"CODE": "0"}}
MISSING = {"tasks": [], "failures": [{"arn": TASK, "reason": "MISSING"}]}


def one_off(number: str = "1f", status: str = "RUNNING", **more: Any) -> dict[str, Any]:
    return task(number, status, **{"group": "backup", "startedBy": "ecr-widgets/run-1", **more})


def start(ecs: BotoEcs, **more: Any) -> str:
    return ecs.start_task(CLUSTER, "backup", "web:2", ENV, run_id="run-1", token="t" * 32, **more)


def test_a_task_is_asked_for_with_our_token_and_name(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """A task is started with our token, its name and the run's id; the id of the request is the task's."""
    aws.answer("RunTask", {"tasks": [one_off()], "failures": []})
    assert start(ecs) == TASK
    assert aws.asked == [
        (
            "RunTask",
            {
                "cluster": "demo",
                "taskDefinition": "web:2",
                "count": 1,
                "group": "backup",
                "startedBy": "ecr-widgets/run-1",
                "clientToken": "t" * 32,
                "overrides": {
                    "containerOverrides": [{"name": "web", "environment": [{"name": "CODE", "value": "0"}]}]
                },
            },
        )
    ]
    request = ecs.read_task_request(TASK)
    assert (request.task_id, request.label, request.is_over) == (TASK, "task 1f", False)


def test_settings_are_sent_as_they_are(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """A task's settings, such as its network, are sent unchanged."""
    aws.answer("RunTask", {"tasks": [one_off()]})
    network = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
    start(ecs, settings={"networkConfiguration": network, "launchType": "FARGATE"})
    (asked,) = aws.asked_for("RunTask")
    assert (asked["networkConfiguration"], asked["launchType"]) == (network, "FARGATE")


@pytest.mark.parametrize("run_id", ["2026-11-26T15:00", "x" * 200])
def test_who_started_it_is_written_as_ecs_takes_it(aws: ScriptedAws, ecs: BotoEcs, run_id: str) -> None:
    """The run's id is shortened and cleaned to fit `startedBy`: at most 128 characters and no colon."""
    aws.answer("RunTask", {"tasks": [one_off()]})
    ecs.start_task(CLUSTER, "backup", "web:2", {}, run_id=run_id, token="t")
    started_by = aws.asked_for("RunTask")[0]["startedBy"]
    assert len(started_by) <= 128
    assert ":" not in started_by


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        ({"reason": "RESOURCE:MEMORY", "arn": f"{ADDRESS}:container-instance/demo/9"}, "enough of it left"),
        ({"reason": "AGENT"}, "agent of the container instance is not connected"),
        ({"reason": "Capacity is unavailable at this time.", "detail": "later"}, "at this time. later"),
    ],
)
def test_no_room_is_a_failure_with_its_reasons(
    aws: ScriptedAws, ecs: BotoEcs, failure: dict[str, str], reason: str
) -> None:
    """A start that ECS answers with failures, under status 200, is an error with their reasons."""
    aws.answer("RunTask", {"tasks": [], "failures": [failure]})
    with pytest.raises(DeploymentFailed, match="task 'backup' was not started") as raised:
        start(ecs)
    assert reason in raised.value.reasons[0]
    assert failure["reason"] in raised.value.reasons[0]


def test_no_task_and_no_reason_is_a_failure_too(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """An answer with neither a task nor a failure is an error, so nothing waits for a task that never started."""
    aws.answer("RunTask", {"tasks": [], "failures": []})
    with pytest.raises(DeploymentFailed, match="gave no reason"):
        start(ecs)


@pytest.mark.parametrize("answer", [{"tasks": "one"}, {"tasks": [{}]}, {"tasks": [{"taskArn": None}]}])
def test_an_answer_that_is_no_answer_may_be_a_task(
    aws: ScriptedAws, ecs: BotoEcs, answer: dict[str, Any]
) -> None:
    """If the answer to a start cannot be read, the outcome is unknown: the task may run."""
    aws.answer("RunTask", answer)
    with pytest.raises(OutcomeUnknown):
        start(ecs)


def test_requests_are_those_of_the_run_for_just_this_task(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """A run's requests are its tasks, running or stopped, with the same name, deploy and variables."""
    asked = {
        "containerOverrides": [
            {"name": "web", "environment": [{"name": "CODE", "value": "0"}]},
            {"name": "side"},
        ]
    }
    ours = one_off("1", overrides=asked)
    others = [
        one_off("2", overrides=asked, group="other"),
        one_off("3", overrides=asked) | {"taskDefinitionArn": "x/web:3"},
        one_off("4"),
    ]
    ended = one_off("5", "STOPPED", overrides=asked)
    aws.answer("ListTasks", {"taskArns": ["a"]}, {"taskArns": ["b"]})
    aws.answer("DescribeTasks", {"tasks": [ours, *others]}, {"tasks": [ended]})
    found = ecs.task_requests(CLUSTER, "backup", "web:2", ENV, run_id="run-1")
    assert found == {ADDRESS.task("demo", "1"), ADDRESS.task("demo", "5")}
    assert [(each["startedBy"], each["desiredStatus"]) for each in aws.asked_for("ListTasks")] == [
        ("ecr-widgets/run-1", "RUNNING"),
        ("ecr-widgets/run-1", "STOPPED"),
    ]


@pytest.mark.parametrize(
    ("status", "running", "pending"),
    [("PROVISIONING", 0, 1), ("PENDING", 0, 1), ("RUNNING", 1, 0), ("STOPPING", 1, 0), ("STOPPED", 0, 0)],
)
def test_a_task_counts_by_its_status(
    aws: ScriptedAws, ecs: BotoEcs, status: str, running: int, pending: int
) -> None:
    """A starting task counts as pending and a stopping one as running."""
    aws.answer("DescribeTasks", {"tasks": [one_off(status=status)]})
    aws.answer("DescribeTaskDefinition", definition())
    found = ecs.read_task(TASK)
    assert (found.running_count, found.pending_count) == (running, pending)
    assert (found.task_id, found.name, found.deploy_id, found.environment_id) == (
        TASK,
        "backup",
        "web:2",
        CLUSTER,
    )


def test_a_task_that_ended_says_how(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """An ended task has its reason, and each container's exit code (None if it never ran) and whether it is essential."""
    containers = [
        {"name": "web", "lastStatus": "STOPPED", "exitCode": 0},
        {"name": "side", "lastStatus": "PENDING", "reason": "CannotStartContainerError"},
    ]
    ended = one_off(
        status="STOPPED", containers=containers, stopCode="TaskFailedToStart", stoppedReason="no start"
    )
    aws.answer("DescribeTasks", {"tasks": [ended]})
    aws.answer("DescribeTaskDefinition", definition())
    found = ecs.read_task(TASK)
    assert found.is_stopped
    assert found.reason == "no start (TaskFailedToStart)"
    assert [(each.name, each.last_status, each.exit_code, each.essential) for each in found.containers] == [
        ("web", "STOPPED", 0, True),
        ("side", "STOPPED", None, False),
    ]


def test_a_task_that_was_just_started_may_be_missing_for_a_moment(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """A task that ECS does not report yet is pending for 20 seconds after its start, and not found afterwards."""
    aws.answer("RunTask", {"tasks": [one_off(status="PROVISIONING")]})
    aws.answer("DescribeTasks", MISSING)
    aws.answer("DescribeTaskDefinition", definition())
    start(ecs)
    assert ecs.read_task(TASK).pending_count == 1
    aws.world.now += timedelta(seconds=21)
    with pytest.raises(EntityNotFound, match="task 1f is not reported"):
        ecs.read_task(TASK)


def test_tasks_are_listed_without_copies_of_services(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """Tasks are listed by name without those of services; an unnamed one has its family's name."""
    unnamed = task("2", group="family:web")
    aws.answer("ListTasks", {"taskArns": ["a"]}, {})
    aws.answer("DescribeTasks", {"tasks": [unnamed, one_off("1"), task("3")]})
    assert ecs.list_tasks(CLUSTER) == (
        Summary(ADDRESS.task("demo", "1"), "backup", CLUSTER, "ecs:demo"),
        Summary(ADDRESS.task("demo", "2"), "web", CLUSTER, "ecs:demo"),
    )


def test_a_task_that_was_listed_as_stopped_is_not_asked_for_again(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """A task listed as stopped is not described again; a running one is described each time."""
    aws.answer(
        "ListTasks", {"taskArns": [ADDRESS.task("demo", "2")]}, {"taskArns": [ADDRESS.task("demo", "1")]}
    )
    stopped = one_off("1", "STOPPED", stopCode="EssentialContainerExited")
    aws.answer("DescribeTasks", {"tasks": [one_off("2")]}, {"tasks": [stopped]}, {"tasks": [one_off("2")]})
    aws.answer("DescribeTaskDefinition", definition())
    ended, runs = [ecs.read_task(each.entity_id) for each in ecs.list_tasks(CLUSTER)]
    assert (ended.is_stopped, runs.is_stopped) == (True, False)
    assert [each["tasks"] for each in aws.asked_for("DescribeTasks")] == [
        [ADDRESS.task("demo", "2")],
        [ADDRESS.task("demo", "1")],
        ["2"],
    ]


def test_a_task_is_stopped(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """A task is stopped by its id, and an unknown one is reported as not found."""
    aws.answer(
        "StopTask",
        {"task": one_off()},
        Refused("InvalidParameterException", "The referenced task was not found."),
    )
    ecs.delete_task(TASK)
    assert aws.asked_for("StopTask")[0]["task"] == "1f"
    with pytest.raises(EntityNotFound, match="one hour after its end"):
        ecs.delete_task(TASK)
