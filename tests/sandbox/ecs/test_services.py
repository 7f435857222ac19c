"""Services as ECS answers for them, and its rolling deployments."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.ecs.served import Refused, Served


def created(ecs: Served, **more: Any) -> dict[str, Any]:
    """A service `web` of one task, completed."""
    ecs.define()
    given = {"cluster": "demo", "serviceName": "web", "taskDefinition": "web", "desiredCount": 1} | more
    ecs.ask("CreateService", **given)
    return ecs.completed()


def texts(service: dict[str, Any]) -> list[str]:
    return [each["message"] for each in service["events"]]


def test_a_new_service_completes_its_first_deployment(ecs: Served) -> None:
    """Its tasks are started by the deployment, and the events say what happened."""
    made = created(ecs, desiredCount=2)
    deployment = made["deployments"][0]
    assert (made["status"], made["runningCount"], made["pendingCount"]) == ("ACTIVE", 2, 0)
    assert deployment["rolloutStateReason"] == f"ECS deployment {deployment['id']} completed."
    assert {each["startedBy"] for each in ecs.tasks(serviceName="web")} == {deployment["id"]}
    assert {each["group"] for each in ecs.tasks(startedBy=deployment["id"])} == {"service:web"}
    assert texts(made)[:2] == [
        f"(service web) (deployment {deployment['id']}) deployment completed.",
        "(service web) has reached a steady state.",
    ]
    assert texts(made)[2].startswith("(service web) has started 2 tasks: (task ")


def test_defaults_are_those_of_ecs(ecs: Served) -> None:
    """Percentages, launch type, controller, tags."""
    made = created(ecs)
    configuration = made["deploymentConfiguration"]
    assert (configuration["minimumHealthyPercent"], configuration["maximumPercent"]) == (100, 200)
    assert configuration["deploymentCircuitBreaker"] == {"enable": False, "rollback": False}
    assert (made["launchType"], made["schedulingStrategy"]) == ("EC2", "REPLICA")
    assert made["deploymentController"] == {"type": "ECS"}


def test_another_task_definition_is_a_new_deployment(ecs: Served) -> None:
    """The new one is PRIMARY, the old one ACTIVE until it is replaced; its tasks stop for the deployment."""
    old = created(ecs)["deployments"][0]["id"]
    ecs.define()
    moving = ecs.ask("UpdateService", cluster="demo", service="web", taskDefinition="web")["service"]
    assert [each["status"] for each in moving["deployments"]] == ["PRIMARY", "ACTIVE"]
    assert moving["taskDefinition"].endswith("task-definition/web:2")
    assert moving["currentServiceDeployment"]
    done = ecs.completed()
    assert done["deployments"][0]["id"] == moving["deployments"][0]["id"] != old
    (stopped,) = ecs.until(lambda: ecs.tasks(desiredStatus="STOPPED"))
    assert (stopped["stopCode"], stopped["startedBy"]) == ("ServiceSchedulerInitiated", old)
    assert stopped["stoppedReason"] == f"Scaling activity initiated by (deployment {old})"
    assert "currentServiceDeployment" not in done


@pytest.mark.parametrize(
    ("more", "is_new"),
    [
        ({"taskDefinition": "web:1"}, False),
        ({"desiredCount": 2}, False),
        ({"deploymentConfiguration": {"maximumPercent": 150}}, False),
        ({"healthCheckGracePeriodSeconds": 9}, False),
        ({"forceNewDeployment": True}, True),
    ],
)
def test_only_what_tasks_start_with_begins_a_deployment(
    ecs: Served, more: dict[str, Any], *, is_new: bool
) -> None:
    """The count, percentages and times do not."""
    before = created(ecs)["deployments"][0]["id"]
    updated = ecs.ask("UpdateService", cluster="demo", service="web", **more)["service"]
    assert (updated["deployments"][0]["id"] != before) is is_new


def test_the_percentages_bound_what_runs_at_the_same_time(ecs: Served) -> None:
    """With 0 and 100 the old task goes before the new one comes: there are never two."""
    created(ecs, deploymentConfiguration={"minimumHealthyPercent": 0, "maximumPercent": 100})
    ecs.define()
    ecs.ask("UpdateService", cluster="demo", service="web", taskDefinition="web")
    ecs.completed()
    order = [text.split(" task")[0] for text in texts(ecs.service())[2:]]
    assert order == [
        "(service web) has started 1",
        "(service web) has stopped 1 running",
        "(service web) (deployment " + order[2].rpartition(" (deployment ")[2],
        "(service web) has reached a steady state.",
        "(service web) has started 1",
    ]


def test_percentages_that_block_everything_are_refused(ecs: Served) -> None:
    """100 and 100, in AWS's words."""
    with pytest.raises(Refused, match="cannot be 100 as this will block deployments"):
        created(ecs, deploymentConfiguration={"minimumHealthyPercent": 100, "maximumPercent": 100})


def test_the_same_token_and_request_give_the_same_service(ecs: Served) -> None:
    """Anything else of that name is refused, in AWS's words."""
    made = created(ecs, clientToken="one")
    again = {"cluster": "demo", "serviceName": "web", "taskDefinition": "web", "desiredCount": 1}
    repeated = ecs.ask("CreateService", **again, clientToken="one")["service"]
    assert repeated["createdAt"] == made["createdAt"]
    for more in ({}, {"clientToken": "two"}, {"clientToken": "one", "desiredCount": 2}):
        with pytest.raises(Refused, match="Creation of service was not idempotent") as refused:
            ecs.ask("CreateService", **again | more)
        assert refused.value.code == "InvalidParameterException"
    with pytest.raises(Refused, match="idempotency token longer than 36"):
        ecs.ask("CreateService", **again, clientToken="x" * 37)


def test_a_service_is_deleted_once_it_is_scaled_down_or_by_force(ecs: Served) -> None:
    """It drains, becomes INACTIVE, is described still, and its name is free."""
    created(ecs)
    with pytest.raises(Refused, match="cannot be stopped while it is scaled above 0"):
        ecs.ask("DeleteService", cluster="demo", service="web")
    gone = ecs.ask("DeleteService", cluster="demo", service="web", force=True)["service"]
    assert (gone["status"], gone["desiredCount"]) == ("DRAINING", 0)
    ecs.until(lambda: ecs.service()["status"] == "INACTIVE")
    with pytest.raises(Refused, match=r"Service was not ACTIVE\.") as refused:
        ecs.ask("UpdateService", cluster="demo", service="web", desiredCount=1)
    assert refused.value.code == "ServiceNotActiveException"
    assert ecs.ask("ListServices", cluster="demo")["serviceArns"] == []
    assert created(ecs)["status"] == "ACTIVE"


def test_unknown_things_are_failures_or_errors_as_on_aws(ecs: Served) -> None:
    """DescribeServices answers 200 with MISSING; calls on what does not exist are refused."""
    answer = ecs.ask("DescribeServices", cluster="demo", services=["none"])
    assert [each["reason"] for each in answer["failures"]] == ["MISSING"]
    for operation, more, code in (
        ("DescribeServices", {"cluster": "none", "services": ["web"]}, "ClusterNotFoundException"),
        ("UpdateService", {"cluster": "demo", "service": "web"}, "ServiceNotFoundException"),
        ("DeleteService", {"cluster": "demo", "service": "web"}, "ServiceNotFoundException"),
        ("ListTasks", {"cluster": "demo", "serviceName": "web"}, "ServiceNotFoundException"),
    ):
        with pytest.raises(Refused) as refused:
            ecs.ask(operation, **more)
        assert refused.value.code == code


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"desiredCount": None}, "DesiredCount is missing"),
        ({"launchType": "FARGATE"}, "Task definition does not support launch_type FARGATE"),
        ({"launchType": "EC2", "capacityProviderStrategy": [{"capacityProvider": "a"}]}, "Specifying both"),
        ({"taskDefinition": "other"}, "TaskDefinition not found"),
        ({"taskDefinition": None}, "TaskDefinition is blank"),
        ({"serviceConnectConfiguration": {"enabled": True}}, "The sandbox has no Service Connect"),
        (
            {"loadBalancers": [{"targetGroupArn": "arn:none", "containerName": "b", "containerPort": 80}]},
            "The container b does not exist in the task definition",
        ),
    ],
)
def test_what_cannot_be_created_is_refused(ecs: Served, more: dict[str, Any], text: str) -> None:
    """And nothing is left of it."""
    with pytest.raises(Refused, match=text):
        created(ecs, **more)
    assert ecs.ask("ListServices", cluster="demo")["serviceArns"] == []


def test_awsvpc_needs_a_network_configuration(ecs: Served) -> None:
    """Of a service and of a task."""
    ecs.define(networkMode="awsvpc")
    for operation, more in (("CreateService", {"serviceName": "web", "desiredCount": 1}), ("RunTask", {})):
        with pytest.raises(Refused, match="Network Configuration must be provided when networkMode 'awsvpc'"):
            ecs.ask(operation, cluster="demo", taskDefinition="web", **more)


def test_what_does_not_fit_on_the_machine_is_said_in_the_events(ecs: Served) -> None:
    """Once, not each time that it is tried; and no task is there."""
    ecs.define(container={"memory": 1 << 30})
    ecs.ask("CreateService", cluster="demo", serviceName="web", taskDefinition="web", desiredCount=1)
    ecs.until(lambda: ecs.service()["events"])
    ecs.ask("UpdateService", cluster="demo", service="web", desiredCount=2)
    (text,) = texts(ecs.service())
    assert "was unable to place a task because no container instance met all of its requirements." in text
    assert "has insufficient memory available." in text
    assert ecs.tasks() == []


def test_a_service_of_codedeploy_has_task_sets_and_is_not_moved_here(ecs: Served) -> None:
    """It has no deployments, its count can be changed, and its task definition cannot."""
    ecs.define()
    controller = {"deploymentController": {"type": "CODE_DEPLOY"}}
    given = {"cluster": "demo", "serviceName": "web", "taskDefinition": "web", "desiredCount": 1}
    ecs.ask("CreateService", **given, **controller)
    ecs.until(lambda: ecs.service()["taskSets"][0]["stabilityStatus"] == "STEADY_STATE")
    assert ecs.service()["deployments"] == []
    ecs.define()
    with pytest.raises(Refused, match="Use AWS CodeDeploy to trigger a new deployment"):
        ecs.ask("UpdateService", cluster="demo", service="web", taskDefinition="web")
    assert (
        ecs.ask("UpdateService", cluster="demo", service="web", desiredCount=2)["service"]["desiredCount"]
        == 2
    )


def test_lists_have_ten_services_a_page(ecs: Served) -> None:
    """The rest follows by the token."""
    ecs.define()
    for number in range(11):
        ecs.ask(
            "CreateService", cluster="demo", serviceName=f"s{number}", taskDefinition="web", desiredCount=0
        )
    first = ecs.ask("ListServices", cluster="demo")
    assert len(first["serviceArns"]) == 10
    assert len(ecs.ask("ListServices", cluster="demo", nextToken=first["nextToken"])["serviceArns"]) == 1


def test_another_region_is_refused(ecs: Served) -> None:
    """It would be somebody else's."""
    with pytest.raises(Refused, match="The sandbox is region us-east-1 alone"):
        ecs.ask("ListClusters", region="eu-west-1")
