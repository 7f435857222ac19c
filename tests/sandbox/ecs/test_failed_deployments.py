"""Deployments that fail: what is counted, when the circuit breaker trips, what is gone back to."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.ecs.served import Refused, Served
from tests.sandbox.ecs.test_services import created, texts

BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


def deployed(ecs: Served, image: str, **more: Any) -> str:
    """Move `web` to an image, and give the deployment's id."""
    ecs.define(container={"image": image})
    moving = ecs.ask("UpdateService", cluster="demo", service="web", taskDefinition="web", **more)["service"]
    return str(moving["deployments"][0]["id"])


def rollouts(ecs: Served) -> dict[str, dict[str, Any]]:
    return {each["id"]: each for each in ecs.service()["deployments"]}


def latest(ecs: Served) -> dict[str, Any]:
    """The newest service deployment."""
    arn = ecs.ask("ListServiceDeployments", cluster="demo", service="web")["serviceDeployments"][0]
    wanted = [arn["serviceDeploymentArn"]]
    shown: dict[str, Any] = ecs.ask("DescribeServiceDeployments", serviceDeploymentArns=wanted)[
        "serviceDeployments"
    ][0]
    return shown


def test_the_breaker_goes_back_as_a_new_deployment(ecs: Served) -> None:
    """The failed one is FAILED, then gone; the service deployment says ROLLBACK_SUCCESSFUL, and of what."""
    ecs.containers.missing.add("gone")
    first = created(ecs, deploymentConfiguration=BREAKER)
    failing = deployed(ecs, "gone")
    seen: dict[str, Any] = ecs.until(
        lambda: (each := rollouts(ecs).get(failing)) and each["rolloutState"] == "FAILED" and each
    )
    assert seen["rolloutStateReason"].startswith(
        "ECS deployment circuit breaker: tasks failed to start; rolling back to deploymentId ecs-svc/"
    )
    done = ecs.completed()
    assert done["taskDefinition"] == first["taskDefinition"]
    assert done["deployments"][0]["id"] not in (failing, first["deployments"][0]["id"])
    ended = latest(ecs)
    assert ended["status"] == "ROLLBACK_SUCCESSFUL"
    assert ended["deploymentCircuitBreaker"] == {"status": "TRIGGERED", "failureCount": 3, "threshold": 3}
    assert ended["rollback"]["serviceRevisionArn"] != ended["targetServiceRevision"]["arn"]
    assert any("unable to consistently start tasks successfully" in text for text in texts(done))


def test_without_rollback_the_breaker_leaves_the_old_tasks(ecs: Served) -> None:
    """The deployment stays FAILED, nothing more is started for it, and the service deployment is STOPPED."""
    ecs.containers.missing.add("gone")
    created(ecs, deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": False}})
    failing = deployed(ecs, "gone")
    ecs.until(lambda: rollouts(ecs)[failing]["rolloutState"] == "FAILED")
    service = ecs.service()
    assert (
        service["deployments"][0]["rolloutStateReason"]
        == "ECS deployment circuit breaker: tasks failed to start."
    )
    assert (service["runningCount"], latest(ecs)["status"]) == (1, "STOPPED")


def test_without_a_breaker_nobody_gives_up(ecs: Served) -> None:
    """Failed tasks are counted in a row, and the old ones stay."""
    ecs.containers.missing.add("gone")
    created(ecs)
    failing = deployed(ecs, "gone")
    ecs.until(lambda: rollouts(ecs)[failing]["failedTasks"] >= 4)
    assert rollouts(ecs)[failing]["rolloutState"] == "IN_PROGRESS"
    assert ecs.service()["runningCount"] == 1


def test_a_container_that_ran_and_died_is_counted_nowhere(ecs: Served) -> None:
    """Only the stopped tasks tell, by who started them: ECS has no other word for it, and its breaker stays silent."""
    ecs.containers.exit_codes["crash"] = 7
    created(ecs, deploymentConfiguration=BREAKER)
    failing = deployed(ecs, "crash")
    ecs.until(lambda: len(ecs.tasks(startedBy=failing, desiredStatus="STOPPED")) >= 3)
    shown = rollouts(ecs)[failing]
    assert (shown["failedTasks"], shown["rolloutState"]) == (0, "IN_PROGRESS")
    codes = [
        each["containers"][0]["exitCode"] for each in ecs.tasks(startedBy=failing, desiredStatus="STOPPED")
    ]
    assert set(codes) == {7}


def test_a_deployment_in_flight_can_be_stopped(ecs: Served) -> None:
    """It goes back to what ran; one that is over is a conflict."""
    ecs.containers.missing.add("gone")
    first = created(ecs)
    deployed(ecs, "gone")
    arn = ecs.service()["currentServiceDeployment"]
    ecs.ask("StopServiceDeployment", serviceDeploymentArn=arn, stopType="ROLLBACK")
    done = ecs.completed()
    assert (done["taskDefinition"], latest(ecs)["status"]) == (first["taskDefinition"], "ROLLBACK_SUCCESSFUL")
    with pytest.raises(Refused) as refused:
        ecs.ask("StopServiceDeployment", serviceDeploymentArn=arn)
    assert refused.value.code == "ConflictException"


def test_a_newer_deployment_ends_the_one_under_way(ecs: Served) -> None:
    """Its service deployment is STOPPED, and going back leads to what was completed last."""
    ecs.containers.missing.add("gone")
    first = created(ecs)
    deployed(ecs, "gone")
    deployed(ecs, "gone")
    listed = ecs.ask("ListServiceDeployments", cluster="demo", service="web")["serviceDeployments"]
    assert [each["status"] for each in listed] == ["IN_PROGRESS", "STOPPED", "SUCCESSFUL"]
    in_progress = ecs.ask("ListServiceDeployments", cluster="demo", service="web", status=["IN_PROGRESS"])
    assert len(in_progress["serviceDeployments"]) == 1
    ecs.ask("StopServiceDeployment", serviceDeploymentArn=ecs.service()["currentServiceDeployment"])
    assert ecs.completed()["taskDefinition"] == first["taskDefinition"]


def test_a_revision_names_its_images_by_digest(ecs: Served) -> None:
    """As they were resolved once for the whole deployment."""
    image = "app@sha256:" + "b" * 64
    created(ecs)
    deployed(ecs, image)
    done = ecs.completed()
    wanted = [done["currentServiceRevisions"][0]["arn"], "arn:none"]
    answer = ecs.ask("DescribeServiceRevisions", serviceRevisionArns=wanted)
    assert answer["serviceRevisions"][0]["containerImages"] == [
        {"containerName": "app", "image": image, "imageDigest": image.partition("@")[2]}
    ]
    assert answer["failures"][0]["reason"] == "MISSING"
