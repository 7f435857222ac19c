"""Deployments, in progress and finished."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ecr_widgets.adapters.ecs.client import BotoEcs
from ecr_widgets.errors import InputError
from tests.fakes import NOW
from tests.fakes.ecs import ADDRESS
from tests.unit.adapters.ecs.samples import AT, CLUSTER, WEB, definition_arn, deployment, service
from tests.unit.adapters.ecs.scripted_aws import ScriptedAws


def revision(number: str) -> str:
    return f"{ADDRESS}:service-revision/demo/web/{number}"


def record(name: str = "a", number: str = "2", status: str = "IN_PROGRESS", **more: Any) -> dict[str, Any]:
    """ECS's record of a deployment; only its short form has the revision at the top level."""
    known = {
        "serviceDeploymentArn": f"{ADDRESS}:service-deployment/demo/web/{name}",
        "serviceArn": WEB,
        "clusterArn": CLUSTER,
        "createdAt": AT,
        "status": status,
        "targetServiceRevisionArn": revision(number),
        "targetServiceRevision": {
            "arn": revision(number),
            "requestedTaskCount": 2,
            "runningTaskCount": 1,
            "pendingTaskCount": 1,
        },
    }
    return known | more


@pytest.fixture
def web(aws: ScriptedAws) -> ScriptedAws:
    """A service with a blue/green deployment in progress."""
    raw = service(
        deployment(3, "web:3", rolloutState="IN_PROGRESS"),
        deploymentConfiguration={"strategy": "BLUE_GREEN"},
        currentServiceDeployment=record()["serviceDeploymentArn"],
    )
    aws.answer("DescribeServices", {"services": [raw]})
    aws.answer("ListTasks", {})
    aws.answer("DescribeScalableTargets", {"ScalableTargets": []})
    aws.answer("ListServiceDeployments", {"serviceDeployments": [record()]})
    aws.answer("DescribeServiceDeployments", {"serviceDeployments": [record()]})
    aws.answer(
        "DescribeServiceRevisions", {"serviceRevisions": [{"taskDefinition": definition_arn("web:2")}]}
    )
    return aws


def paused(*statuses: str) -> dict[str, Any]:
    hooks = [
        {"hookId": f"hook-{number}", "targetType": "PAUSE", "status": status}
        for number, status in enumerate(statuses)
    ]
    hooks.append({"hookId": "lambda", "targetType": "AWS_LAMBDA", "status": "AWAITING_ACTION"})
    return record(lifecycleStage="POST_TEST_TRAFFIC_SHIFT", lifecycleHookDetails=hooks)


def test_a_rollout_in_stages_says_where_it_is(web: ScriptedAws, ecs: BotoEcs) -> None:
    """A staged rollout reports its stage and the pause hook that waits for a decision; a Lambda hook is not a pause."""
    web.answer("DescribeServiceDeployments", {"serviceDeployments": [paused("SUCCEEDED", "AWAITING_ACTION")]})
    primary = ecs.read_service(WEB).primary
    assert primary is not None
    assert (primary.stage, primary.hook_id) == ("POST_TEST_TRAFFIC_SHIFT", "hook-1")


def test_a_rolling_rollout_is_not_asked_for_its_stage(web: ScriptedAws, ecs: BotoEcs) -> None:
    """A rolling deployment has no stages, so a read of its service does not ask for its record."""
    web.answer("DescribeServices", {"services": [service(currentServiceDeployment="a")]})
    ecs.read_service(WEB)
    assert web.asked_for("DescribeServiceDeployments") == []


def test_a_deployment_that_the_service_lists_is_that_one(web: ScriptedAws, ecs: BotoEcs) -> None:
    """A deployment that the service lists is returned without asking ECS for its record."""
    found = ecs.find_deployment(WEB, "ecs-svc/3")
    assert found is not None
    assert (found.deploy_id, found.status) == ("web:3", "PRIMARY")
    assert web.asked_for("ListServiceDeployments") == []


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("SUCCESSFUL", "COMPLETED"),
        ("IN_PROGRESS", "IN_PROGRESS"),
        ("STOPPED", "STOPPED"),
        ("ROLLBACK_IN_PROGRESS", "FAILED"),
        ("ROLLBACK_SUCCESSFUL", "FAILED"),
        ("ROLLBACK_FAILED", "FAILED"),
    ],
)
def test_a_deployment_that_ended_is_found_by_its_revisions_number(
    web: ScriptedAws, ecs: BotoEcs, status: str, state: str
) -> None:
    """A finished deployment is found by its revision's number; one that ECS rolled back counts as failed."""
    full = record(
        status=status, statusReason="tasks failed to start", deploymentCircuitBreaker={"failureCount": 3}
    )
    web.answer("DescribeServiceDeployments", {"serviceDeployments": [full]})
    found = ecs.find_deployment(WEB, "ecs-svc/2")
    assert found is not None
    assert (found.deployment_id, found.deploy_id, found.state) == ("ecs-svc/2", "web:2", state)
    assert (found.reason, found.failed_count) == ("tasks failed to start", 3)
    assert (found.desired_count, found.running_count, found.pending_count) == (2, 1, 1)


def test_one_that_was_seen_is_found_by_time_and_deploy_too(web: ScriptedAws, ecs: BotoEcs) -> None:
    """Without a matching number, a deployment seen before is found as the record of the same deploy closest in time."""
    new = deployment(9, "web:9", createdAt=(NOW + timedelta(seconds=2)).timestamp())
    web.answer("DescribeServices", {"services": [service(new)]}, {"services": [service()]})
    ecs.read_service(WEB)
    records = [
        record("far", "70", createdAt=AT + 3600),
        record("other", "71", createdAt=AT + 2),
        record("ours", "72", createdAt=AT + 3, status="ROLLBACK_SUCCESSFUL"),
    ]
    web.answer("ListServiceDeployments", {"serviceDeployments": records})
    web.answer("DescribeServiceDeployments", {"serviceDeployments": records[1:]})
    web.answer(
        "DescribeServiceRevisions",
        {"serviceRevisions": [{"taskDefinition": definition_arn("web:8")}]},
        {"serviceRevisions": [{"taskDefinition": definition_arn("web:9")}]},
    )
    found = ecs.find_deployment(WEB, "ecs-svc/9")
    assert found is not None
    assert (found.deploy_id, found.state) == ("web:9", "FAILED")
    named = [each["serviceDeploymentArn"] for each in records[1:]]
    assert web.asked_for("DescribeServiceDeployments") == [{"serviceDeploymentArns": named}]


def test_one_that_ecs_keeps_no_record_of_is_none(web: ScriptedAws, ecs: BotoEcs) -> None:
    """A deployment of which ECS keeps no record is None."""
    assert ecs.find_deployment(WEB, "ecs-svc/1") is None


def test_a_deployment_under_way_is_stopped_by_its_record(web: ScriptedAws, ecs: BotoEcs) -> None:
    """A deployment in progress is stopped through its record, with a rollback to what ran before."""
    web.answer("StopServiceDeployment", {"serviceDeploymentArn": record()["serviceDeploymentArn"]})
    ecs.stop_deployment(WEB, "ecs-svc/3")
    assert web.asked_for("StopServiceDeployment") == [
        {"serviceDeploymentArn": record()["serviceDeploymentArn"], "stopType": "ROLLBACK"}
    ]


def test_one_without_a_record_cannot_be_stopped(web: ScriptedAws, ecs: BotoEcs) -> None:
    """Stopping a deployment without a record is refused."""
    with pytest.raises(InputError, match="no record of deployment ecs-svc/1"):
        ecs.stop_deployment(WEB, "ecs-svc/1")


@pytest.mark.parametrize(("roll_back", "action"), [(False, "CONTINUE"), (True, "ROLLBACK")])
def test_a_pause_is_ended(web: ScriptedAws, ecs: BotoEcs, action: str, *, roll_back: bool) -> None:
    """A pause is continued or rolled back at the hook that waits."""
    web.answer("DescribeServiceDeployments", {"serviceDeployments": [paused("AWAITING_ACTION")]})
    web.answer("ContinueServiceDeployment", {})
    ecs.continue_deployment(WEB, "ecs-svc/3", roll_back=roll_back)
    asked = web.asked_for("ContinueServiceDeployment")
    assert [(each["hookId"], each["action"]) for each in asked] == [("hook-0", action)]


def test_one_that_waits_at_no_pause_is_refused(web: ScriptedAws, ecs: BotoEcs) -> None:
    """Continuing a deployment that waits at no pause hook is refused."""
    with pytest.raises(InputError, match="does not wait at a pause hook"):
        ecs.continue_deployment(WEB, "ecs-svc/3")
