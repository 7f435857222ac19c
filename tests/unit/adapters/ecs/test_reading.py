"""Services as ECS describes them."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from ecr_widgets.adapters.ecs.client import BotoEcs
from ecr_widgets.errors import EcrWidgetsError, EntityNotFound, InputError
from ecr_widgets.model.services import Scaling, Summary
from tests.fakes import NOW
from tests.fakes.ecs import ADDRESS
from tests.unit.adapters.ecs.samples import CLUSTER, WEB, dead, deployment, event, missing, service
from tests.unit.adapters.ecs.scripted_aws import Answer, Refused, ScriptedAws
from tests.unit.adapters.odd_members import with_odd_members

GROUP = "arn:aws:elasticloadbalancing:us-east-1:111222333444:targetgroup/web/0123"
HEALTH = (
    b"<DescribeTargetHealthResponse><DescribeTargetHealthResult><TargetHealthDescriptions>"
    b"<member><Target><Id>10.0.0.7</Id><Port>8080</Port></Target><TargetHealth><State>unhealthy</State>"
    b"<Reason>Target.ResponseCodeMismatch</Reason><Description>codes: [502]</Description></TargetHealth></member>"
    b"<member><Target><Id>10.0.0.8</Id></Target><TargetHealth><State>healthy</State></TargetHealth></member>"
    b"</TargetHealthDescriptions></DescribeTargetHealthResult></DescribeTargetHealthResponse>"
)
NOT_ALLOWED = Refused("AccessDeniedException", "no")


@pytest.fixture
def web(aws: ScriptedAws) -> ScriptedAws:
    """A service with one copy, no stopped tasks and no auto scaling."""
    aws.answer("DescribeServices", {"services": [service()]})
    aws.answer("ListTasks", {"taskArns": []})
    aws.answer("DescribeScalableTargets", {"ScalableTargets": []})
    return aws


def test_a_service_is_read_by_its_long_arn(web: ScriptedAws, ecs: BotoEcs) -> None:
    """A service has its long ARN as id even if ECS answers with a short one; its deploy is `family:revision`."""
    found = ecs.read_service(WEB)
    assert (found.service_id, found.name, found.environment_id) == (WEB, "web", CLUSTER)
    assert (found.desired_count, found.running_count, found.pending_count) == (1, 1, 0)
    assert found.primary is not None
    assert (found.primary.deployment_id, found.primary.deploy_id) == ("ecs-svc/2", "web:2")
    assert (found.primary.state, found.primary.created_at) == ("COMPLETED", NOW)
    assert (found.refused, found.scaling) == ("", None)
    assert web.asked_for("DescribeServices") == [{"cluster": "demo", "services": ["web"]}]


def test_a_service_is_found_by_its_name(web: ScriptedAws, ecs: BotoEcs) -> None:
    """A service is found by its name within a cluster."""
    found = ecs.find_service(CLUSTER, "web")
    assert found is not None
    assert found.service_id == WEB


@pytest.mark.parametrize("answer", [missing(), {"services": [service(status="INACTIVE")]}])
def test_a_service_that_is_gone_is_not_found(aws: ScriptedAws, ecs: BotoEcs, answer: dict[str, Any]) -> None:
    """A missing service and a deleted one that ECS still describes are both not found."""
    aws.answer("DescribeServices", answer)
    assert ecs.find_service(CLUSTER, "web") is None
    with pytest.raises(EntityNotFound, match="service 'web' does not exist in cluster 'demo'"):
        ecs.read_service(WEB)


def test_a_short_arn_is_no_id(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """A short ARN is refused as a service's id, since it names no cluster."""
    with pytest.raises(InputError, match="does not say which cluster"):
        ecs.read_service(f"{ADDRESS}:service/web")
    assert aws.asked == []


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"status": "DRAINING"}, "being deleted"),
        ({"deploymentController": {"type": "CODE_DEPLOY"}}, "CodeDeploy's"),
        ({"deploymentController": {"type": "EXTERNAL"}}, "controller EXTERNAL"),
        ({"deploymentController": {"type": "ECS"}}, ""),
    ],
)
def test_what_must_not_be_moved_says_why(
    web: ScriptedAws, ecs: BotoEcs, more: dict[str, Any], why: str
) -> None:
    """A service that is being deleted or has another deployment controller says why it cannot be updated."""
    web.answer("DescribeServices", {"services": [service(**more)]})
    refused = ecs.read_service(WEB).refused
    assert why in refused
    assert bool(refused) is bool(why)


def test_task_sets_are_shown_where_ecs_rolls_nothing_out(web: ScriptedAws, ecs: BotoEcs) -> None:
    """A service under CodeDeploy has its task sets as deployments."""
    one = deployment(status="PRIMARY")
    one["computedDesiredCount"] = one.pop("desiredCount")
    raw = service(deploymentController={"type": "CODE_DEPLOY"}, taskSets=[one]) | {"deployments": []}
    web.answer("DescribeServices", {"services": [raw]})
    found = ecs.read_service(WEB)
    assert found.primary is not None
    assert (found.primary.deploy_id, found.primary.desired_count) == ("web:2", 1)


def test_events_belong_to_the_deployment_that_ran_then(web: ScriptedAws, ecs: BotoEcs) -> None:
    """Each event belongs to the deployment that ran at its time, oldest first; events before the oldest one are dropped."""
    later, before = NOW + timedelta(minutes=5), NOW - timedelta(hours=1)
    new = deployment(3, "web:3", createdAt=later.timestamp(), rolloutState="IN_PROGRESS", failedTasks=4)
    events = [event("third", later), event("second", NOW + timedelta(seconds=1)), event("first", NOW)]
    raw = service(new, deployment(status="ACTIVE"), events=[*events, event("long ago", before)])
    web.answer("DescribeServices", {"services": [raw]})
    primary, old = ecs.read_service(WEB).deployments
    assert (primary.events, old.events) == (("third",), ("first", "second"))
    assert (primary.state, primary.failed_count, old.status) == ("IN_PROGRESS", 4, "ACTIVE")


def test_a_rollout_behind_a_classic_balancer_has_no_state(web: ScriptedAws, ecs: BotoEcs) -> None:
    """Without a rollout state, as behind a classic load balancer, a deployment's state and reason are empty."""
    one = deployment()
    del one["rolloutState"], one["rolloutStateReason"]
    web.answer("DescribeServices", {"services": [service(one)]})
    primary = ecs.read_service(WEB).primary
    assert primary is not None
    assert (primary.state, primary.reason) == ("", "")


def test_copies_that_died_are_told_by_their_deployment(web: ScriptedAws, ecs: BotoEcs) -> None:
    """Dead copies are listed per deployment by time, with stop code, container and exit code, and each is described once."""
    tasks = [
        dead(
            "2", "TaskFailedToStart", "CannotPullContainerError: no such image", {"reason": "not there"}, at=9
        ),
        dead("1", "EssentialContainerExited", "Essential container in task exited", {"exitCode": 1}, at=5),
        dead("3", "EssentialContainerExited", "Essential container in task exited", {"exitCode": 3})
        | {"startedBy": "ecs-svc/1"},
    ]
    web.answer("ListTasks", {"taskArns": [each["taskArn"] for each in tasks]})
    web.answer("DescribeTasks", {"tasks": tasks})
    primary = ecs.read_service(WEB).primary
    assert primary is not None
    assert primary.stopped_reasons == (
        "Essential container in task exited (EssentialContainerExited): web ended with code 1",
        "CannotPullContainerError: no such image (TaskFailedToStart): web never ran (not there)",
    )
    assert ecs.read_service(WEB).primary == primary
    assert len(web.asked_for("DescribeTasks")) == 1
    assert web.asked_for("ListTasks")[0] == {
        "cluster": "demo",
        "serviceName": "web",
        "desiredStatus": "STOPPED",
        "maxResults": 100,
    }


@pytest.mark.parametrize(
    ("code", "reason", "counts"),
    [
        ("ServiceSchedulerInitiated", "Scaling activity initiated by (deployment ecs-svc/3)", False),
        ("", "Scaling activity initiated by (deployment ecs-svc/3)", False),
        ("UserInitiated", "Task stopped by user", False),
        ("SpotInterruption", "Your Spot Task was interrupted.", False),
        ("TerminationNotice", "", False),
        ("InfrastructureHealth", "", False),
        ("ServiceSchedulerInitiated", "Task failed ELB health checks in (target-group x)", True),
        ("ServiceSchedulerInitiated", "Task failed container health checks", True),
        ("EssentialContainerExited", "Essential container in task exited", True),
        ("", "Essential container in task exited", True),
    ],
)
def test_only_what_ended_for_its_own_sake_counts(
    web: ScriptedAws, ecs: BotoEcs, code: str, reason: str, *, counts: bool
) -> None:
    """Copies that a person, the scheduler or the platform stopped do not count against the deployment; crashes do."""
    one = dead("1", code, reason, {"exitCode": 143})
    web.answer("ListTasks", {"taskArns": [one["taskArn"]]})
    web.answer("DescribeTasks", {"tasks": [one]})
    primary = ecs.read_service(WEB).primary
    assert primary is not None
    assert bool(primary.stopped_reasons) is counts


def test_a_copy_that_is_still_stopping_does_not_count_yet(web: ScriptedAws, ecs: BotoEcs) -> None:
    """A copy that is still stopping is not counted and is described again, as its exit code is not known yet."""
    one = dead("1", "EssentialContainerExited", "Essential container in task exited") | {
        "lastStatus": "STOPPING"
    }
    web.answer("ListTasks", {"taskArns": [one["taskArn"]]})
    web.answer("DescribeTasks", {"tasks": [one]})
    for _ in range(2):
        primary = ecs.read_service(WEB).primary
        assert primary is not None
        assert primary.stopped_reasons == ()
    assert len(web.asked_for("DescribeTasks")) == 2


def test_targets_that_fail_their_checks_are_said_while_a_rollout_goes_on(
    web: ScriptedAws, ecs: BotoEcs
) -> None:
    """During a rollout, unhealthy targets come before the scheduler's events, with the load balancer's reason."""
    raw = service(
        deployment(rolloutState="IN_PROGRESS"),
        loadBalancers=[{"targetGroupArn": GROUP}],
        events=[event("(service web) has started 1 tasks.")],
    )
    web.answer("DescribeServices", {"services": [raw]})
    web.answer("DescribeTargetHealth", HEALTH)
    primary = ecs.read_service(WEB).primary
    assert primary is not None
    assert primary.events == (
        "target 10.0.0.7:8080 of web is unhealthy: Target.ResponseCodeMismatch, codes: [502]",
        "(service web) has started 1 tasks.",
    )


@pytest.mark.parametrize("refused", [NOT_ALLOWED, Refused("TargetGroupNotFound", "no"), b"<html>"])
def test_who_may_not_ask_for_health_and_scaling_still_reads_the_service(
    web: ScriptedAws, ecs: BotoEcs, refused: Answer
) -> None:
    """A service is read without target health and scaling if these calls fail."""
    raw = service(deployment(rolloutState="IN_PROGRESS"), loadBalancers=[{"targetGroupArn": GROUP}])
    web.answer("DescribeServices", {"services": [raw]})
    web.answer("DescribeTargetHealth", refused)
    web.answer("DescribeScalableTargets", refused)
    found = ecs.read_service(WEB)
    assert found.scaling is None
    assert found.primary is not None
    assert found.primary.events == ()


def test_auto_scalings_bounds_are_read_now_and_then(web: ScriptedAws, ecs: BotoEcs) -> None:
    """Auto scaling's bounds are cached for 30 seconds."""
    target = {
        "ServiceNamespace": "ecs",
        "ResourceId": "service/demo/web",
        "MinCapacity": 2,
        "MaxCapacity": 10,
    }
    target |= {"ScalableDimension": "ecs:service:DesiredCount", "RoleARN": "r", "CreationTime": 1}
    web.answer("DescribeScalableTargets", {"ScalableTargets": [target]})
    assert ecs.read_service(WEB).scaling == ecs.read_service(WEB).scaling == Scaling(2, 10)
    assert len(web.asked_for("DescribeScalableTargets")) == 1
    web.world.now += timedelta(seconds=31)
    ecs.read_service(WEB)
    assert len(web.asked_for("DescribeScalableTargets")) == 2


def test_services_are_listed_by_name(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """Services of all clusters are listed by name, with long ARNs as ids."""
    other = ADDRESS.cluster("other")
    aws.answer("ListClusters", {"clusterArns": [CLUSTER, other]})
    aws.answer(
        "ListServices",
        {"serviceArns": [f"{ADDRESS}:service/web"], "nextToken": "t"},
        {"serviceArns": [f"{ADDRESS}:service/demo/app"]},
        {"serviceArns": []},
    )
    expected = (
        Summary(ADDRESS.service("demo", "app"), "app", CLUSTER, "ecs:demo"),
        Summary(WEB, "web", CLUSTER, "ecs:demo"),
    )
    assert ecs.list_services() == expected
    assert [each["cluster"] for each in aws.asked_for("ListServices")] == ["demo", "demo", "other"]


@pytest.mark.parametrize("raw", [{}, service(desiredCount=None), service(clusterArn=None), service({})])
def test_a_service_of_another_form_is_said(web: ScriptedAws, ecs: BotoEcs, raw: dict[str, Any]) -> None:
    """A service of an unknown form is an error rather than a service with zero copies."""
    web.answer("DescribeServices", {"services": [raw]})
    with pytest.raises(Exception, match="does not have ECS's form"):
        ecs.read_service(WEB)


def test_a_service_with_any_odd_member_is_read_or_refused(web: ScriptedAws, ecs: BotoEcs) -> None:
    """Whatever type one member of a description has, the service is read or the error is one of ours."""
    whole = service(
        deployment(rolloutState="IN_PROGRESS"),
        deployment(1, "web:1", "ACTIVE"),
        events=[event("has started 1 tasks")],
        deploymentConfiguration={"strategy": "BLUE_GREEN", "deploymentCircuitBreaker": {"enable": True}},
        loadBalancers=[{"targetGroupArn": GROUP, "containerName": "web", "containerPort": 80}],
        deploymentController={"type": "ECS"},
    )
    web.answer("DescribeTargetHealth", HEALTH)
    read = 0
    for answer in with_odd_members({"services": [whole], "failures": []}):
        web.answer("DescribeServices", answer)
        with suppress(EcrWidgetsError):
            read += bool(ecs.read_service(WEB))
    assert read
