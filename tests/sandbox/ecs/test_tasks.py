"""One-off tasks as ECS answers for them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.ecs.served import Refused, Served


def run(ecs: Served, **more: Any) -> dict[str, Any]:
    return ecs.ask("RunTask", **{"cluster": "demo", "taskDefinition": "web"} | more)


def ended(ecs: Served) -> list[dict[str, Any]]:
    """The stopped tasks, once there are any and all have stopped."""

    def stopped() -> list[dict[str, Any]]:
        shown = ecs.tasks(desiredStatus="STOPPED")
        return shown if all(each["lastStatus"] == "STOPPED" for each in shown) else []

    tasks: list[dict[str, Any]] = ecs.until(stopped)
    return tasks


def test_a_task_ends_with_the_exit_code_of_its_container(ecs: Served) -> None:
    """With the stop code, the reason and all times in their order."""
    ecs.containers.exit_codes["app"] = 3
    ecs.define()
    run(ecs, startedBy="me", group="nightly")
    (task,) = ended(ecs)
    assert (task["stopCode"], task["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    assert (task["containers"][0]["exitCode"], task["startedBy"], task["group"]) == (3, "me", "nightly")
    times = [task[name] for name in ("createdAt", "pullStartedAt", "pullStoppedAt", "startedAt", "stoppedAt")]
    assert times == sorted(times)


def test_a_task_whose_image_is_missing_has_no_exit_code(ecs: Served) -> None:
    """It failed to start, and says which image."""
    ecs.containers.missing.add("app")
    ecs.define()
    run(ecs)
    (task,) = ended(ecs)
    assert (task["stopCode"], task["lastStatus"]) == ("TaskFailedToStart", "STOPPED")
    assert task["stoppedReason"].startswith("CannotPullContainerError: ")
    assert "exitCode" not in task["containers"][0]


def test_a_task_of_a_digest_shows_it(ecs: Served) -> None:
    """The image is shown as it was written."""
    image = "app@sha256:" + "a" * 64
    ecs.define(container={"image": image})
    run(ecs)
    container = ecs.until(lambda: [each for each in ecs.tasks() if each["lastStatus"] == "RUNNING"])[0][
        "containers"
    ][0]
    assert (container["image"], container["imageDigest"]) == (image, image.partition("@")[2])


def test_overrides_change_command_and_environment(ecs: Served) -> None:
    """Of this task only, and DescribeTasks shows them; those of unknown containers are refused."""
    ecs.define(container={"environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]})
    override = {"name": "app", "command": ["x"], "environment": [{"name": "A", "value": "2"}]}
    run(ecs, overrides={"containerOverrides": [override]})
    (task,) = ecs.until(lambda: [each for each in ecs.tasks() if each["lastStatus"] == "RUNNING"])
    assert task["overrides"]["containerOverrides"] == [override]
    (spec,) = ecs.containers.specs.values()
    assert (spec.definition.command, dict(spec.environment)) == (["x"], {"A": "2", "B": "1"})
    with pytest.raises(Refused, match="Override for container named other is not a container"):
        run(ecs, overrides={"containerOverrides": [{"name": "other"}]})


def test_the_same_token_and_request_start_nothing_twice(ecs: Served) -> None:
    """The first tasks are the answer again; another request with the token is a conflict that names them."""
    ecs.define()
    first = run(ecs, clientToken="one")["tasks"][0]["taskArn"]
    assert run(ecs, clientToken="one")["tasks"][0]["taskArn"] == first
    with pytest.raises(Refused) as refused:
        run(ecs, clientToken="one", count=2)
    assert (refused.value.code, refused.value.answer["resourceIds"]) == ("ConflictException", [first])
    assert len(ecs.tasks()) == 1


def test_what_cannot_be_placed_is_a_failure_with_200(ecs: Served) -> None:
    """One for each task; on Fargate there is always room."""
    ecs.define(container={"memory": 1 << 30})
    answer = run(ecs, count=2)
    assert (answer["tasks"], [each["reason"] for each in answer["failures"]]) == ([], ["RESOURCE:MEMORY"] * 2)
    ecs.define("job", container={"memory": None, "cpu": 1 << 20}, memory="64")
    assert run(ecs, taskDefinition="job")["failures"][0]["reason"] == "RESOURCE:CPU"


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"count": 11}, "count must be between 1 and 10"),
        ({"startedBy": "a" * 129}, "startedBy must have 128 characters at the most"),
        ({"taskDefinition": "none"}, "TaskDefinition not found"),
        ({"propagateTags": "SERVICE"}, "propagateTags must be TASK_DEFINITION"),
    ],
)
def test_what_cannot_be_run_is_refused(ecs: Served, more: dict[str, Any], text: str) -> None:
    """In AWS's manner: with an exception."""
    ecs.define()
    with pytest.raises(Refused, match=text):
        run(ecs, **more)


def test_a_task_that_is_stopped_says_who_did_it(ecs: Served) -> None:
    """With the reason that was given; an unknown one is refused."""
    ecs.define()
    arn = run(ecs)["tasks"][0]["taskArn"]
    answer = ecs.ask("StopTask", cluster="demo", task=arn, reason="enough")["task"]
    assert (answer["desiredStatus"], answer["stoppedReason"]) == ("STOPPED", "enough")
    assert {each["stopCode"] for each in ended(ecs)} == {"UserInitiated"}
    with pytest.raises(Refused, match=r"The referenced task was not found\."):
        ecs.ask("StopTask", cluster="demo", task="0" * 32)


def test_lists_are_filtered(ecs: Served) -> None:
    """By family and by who started it, which is a filter of its own."""
    for family in ("web", "job"):
        ecs.define(family)
        run(ecs, taskDefinition=family, startedBy=family)
    assert len(ecs.ask("ListTasks", cluster="demo", family="job")["taskArns"]) == 1
    assert len(ecs.ask("ListTasks", cluster="demo", startedBy="web")["taskArns"]) == 1
    assert ecs.ask("ListTasks", cluster="demo", launchType="FARGATE")["taskArns"] == []
    assert ecs.ask("ListTasks", cluster="default")["taskArns"] == []
    with pytest.raises(Refused, match="no other filter"):
        ecs.ask("ListTasks", cluster="demo", startedBy="web", family="web")


def test_an_unknown_task_is_a_failure(ecs: Served) -> None:
    """DescribeTasks answers 200."""
    answer = ecs.ask("DescribeTasks", cluster="demo", tasks=["0" * 32])
    assert (answer["tasks"], answer["failures"][0]["reason"]) == ([], "MISSING")


def test_nobody_gets_a_shell(ecs: Served) -> None:
    """ExecuteCommand answers as where it was not enabled."""
    ecs.define()
    arn = run(ecs)["tasks"][0]["taskArn"]
    with pytest.raises(Refused, match="execute command was not enabled"):
        ecs.ask("ExecuteCommand", cluster="demo", task=arn, command="sh", interactive=True)


@pytest.mark.parametrize(
    ("operation", "given"),
    [
        ("CreateTaskSet", {"cluster": "demo", "service": "web", "taskDefinition": "web"}),
        ("ListDaemons", {}),
        ("CreateCapacityProvider", {"name": "a"}),
    ],
)
def test_what_the_sandbox_has_not_is_said(ecs: Served, operation: str, given: dict[str, Any]) -> None:
    """As an UnsupportedFeatureException that names the call."""
    with pytest.raises(Refused, match=operation) as refused:
        ecs.ask(operation, **given)
    assert refused.value.code == "UnsupportedFeatureException"
