"""Services: created, updated and scaled."""

from __future__ import annotations

from typing import Any

import pytest

from ecr_widgets.adapters.ecs.client import BotoEcs
from ecr_widgets.dockerrun.service_file import check_applicable
from ecr_widgets.errors import InputError, OutcomeUnknown
from ecr_widgets.model.services import FIXED_SETTINGS
from tests.unit.adapters.ecs.samples import CLUSTER, WEB, deployment, service
from tests.unit.adapters.ecs.scripted_aws import ScriptedAws

BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}


def test_a_service_is_created_with_one_copy_and_a_breaker(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """A new service has one copy, our client token, and a circuit breaker that does not roll back."""
    aws.answer("CreateService", {"service": service()})
    made = ecs.create_service(CLUSTER, "web", "web:2", token="t" * 32)
    assert made.service_id == WEB
    assert aws.asked_for("CreateService") == [
        {
            "cluster": "demo",
            "serviceName": "web",
            "taskDefinition": "web:2",
            "desiredCount": 1,
            "deploymentConfiguration": BREAKER,
            "clientToken": "t" * 32,
        }
    ]


@pytest.mark.parametrize(
    ("settings", "sent"),
    [
        ({"desiredCount": 3}, {"desiredCount": 3}),
        ({"schedulingStrategy": "DAEMON"}, {"desiredCount": None}),
        (
            {"deploymentConfiguration": {"maximumPercent": 150}},
            {"deploymentConfiguration": {"maximumPercent": 150, **BREAKER}},
        ),
        (
            {"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": False, "rollback": False}}},
            {"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": False, "rollback": False}}},
        ),
        (
            {"deploymentConfiguration": {"strategy": "CANARY"}},
            {"deploymentConfiguration": {"strategy": "CANARY"}},
        ),
        ({"deploymentController": {"type": "EXTERNAL"}}, {"deploymentConfiguration": None}),
        ({"memberOf2031": {"a": ""}}, {"memberOf2031": {"a": ""}}),
        ({"serviceName": "other", "cluster": "other", "taskDefinition": "other"}, {"serviceName": "web"}),
    ],
)
def test_settings_are_sent_as_they_are(
    aws: ScriptedAws, ecs: BotoEcs, settings: dict[str, Any], sent: dict[str, Any]
) -> None:
    """The given settings replace the defaults, but not the service's name, cluster or task definition."""
    aws.answer("CreateService", {"service": service()})
    ecs.create_service(CLUSTER, "web", "web:2", settings=settings)
    (asked,) = aws.asked_for("CreateService")
    assert {name: asked.get(name) for name in sent} == sent
    assert (asked["cluster"], asked["taskDefinition"]) == ("demo", "web:2")


def test_a_load_balancer_of_layer0_is_refused(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """Creating a service with a Layer0 load balancer is refused, since ECS does not know its name."""
    with pytest.raises(InputError, match="target groups in a service file"):
        ecs.create_service(CLUSTER, "web", "web:2", load_balancer_id="lb")
    assert aws.asked == []


def test_a_move_names_the_deploy_and_nothing_else(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """An update sends no copy count, which auto scaling may have set; the primary deployment in the answer is the new one."""
    new = deployment(3, "web:3", rolloutState="IN_PROGRESS", runningCount=0)
    aws.answer("UpdateService", {"service": service(new, deployment(status="ACTIVE"))})
    moved = ecs.update_service(WEB, "web:3")
    assert moved.primary is not None
    assert (moved.primary.deployment_id, moved.primary.deploy_id) == ("ecs-svc/3", "web:3")
    assert aws.asked == [("UpdateService", {"cluster": "demo", "service": "web", "taskDefinition": "web:3"})]


def test_scaling_names_the_number_and_nothing_else(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """Scaling sends only the number of copies, so it starts no deployment."""
    aws.answer("UpdateService", {"service": service(desiredCount=4)})
    assert ecs.scale_service(WEB, 4).desired_count == 4
    assert aws.asked == [("UpdateService", {"cluster": "demo", "service": "web", "desiredCount": 4})]


def test_an_answer_that_says_nothing_may_be_a_service(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """If the answer to a creation names no service, the outcome is unknown: the service may exist."""
    aws.answer("CreateService", {"services": []})
    with pytest.raises(OutcomeUnknown, match="does not have ECS's form"):
        ecs.create_service(CLUSTER, "web", "web:2", token="t")


def test_settings_are_read_in_the_form_that_creates(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """Settings are read in the form of CreateService, including members newer than this kit and those only its deployment has."""
    connect = {"enabled": True}
    one = deployment(serviceConnectConfiguration=connect)
    raw = service(one, launchType="FARGATE", propagateTags="NONE", memberOf2031=1, roleArn="r")
    aws.answer("DescribeServices", {"services": [raw]})
    assert ecs.read_settings(WEB) == {
        "desiredCount": 1,
        "launchType": "FARGATE",
        "propagateTags": "NONE",
        "memberOf2031": 1,
        "role": "r",
        "serviceConnectConfiguration": connect,
    }
    assert aws.asked == [("DescribeServices", {"cluster": "demo", "services": ["web"], "include": ["TAGS"]})]


def test_settings_are_applied(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """Applying settings sends exactly the given ones."""
    aws.answer("UpdateService", {"service": service()})
    ecs.apply_settings(WEB, {"healthCheckGracePeriodSeconds": 5})
    assert aws.asked == [
        ("UpdateService", {"cluster": "demo", "service": "web", "healthCheckGracePeriodSeconds": 5})
    ]


@pytest.mark.parametrize("name", sorted(FIXED_SETTINGS))
def test_what_cannot_change_is_refused(name: str, aws: ScriptedAws, ecs: BotoEcs) -> None:
    """A change of a fixed setting is refused by its name before anything is sent."""
    with pytest.raises(InputError, match=f"does not change {name} of a service that exists"):
        ecs.apply_settings(WEB, {name: "x", "platformVersion": "LATEST"})
    with pytest.raises(InputError, match=f"{name} cannot be changed"):
        check_applicable({name: "x", "platformVersion": "LATEST"})
    assert aws.asked == []
