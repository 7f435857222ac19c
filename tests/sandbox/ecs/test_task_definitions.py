"""Task definitions as ECS takes, keeps and shows them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.ecs.served import Refused, Served

AWSVPC = {"networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"]}
EXECUTION_ROLE = "arn:aws:iam::111222333444:role/ecsTaskExecutionRole"


def container(**more: Any) -> dict[str, Any]:
    return {"name": "app", "image": "app", "memory": 64} | more


def test_each_registration_is_a_revision_that_is_never_given_again(ecs: Served) -> None:
    """Also of an equal document, and after the newest one was deleted."""
    assert [ecs.define(), ecs.define()] == ["web:1", "web:2"]
    ecs.ask("DeregisterTaskDefinition", taskDefinition="web:2")
    ecs.ask("DeleteTaskDefinitions", taskDefinitions=["web:2"])
    assert ecs.define() == "web:3"


def test_nothing_of_a_document_is_lost_and_defaults_are_filled_in(ecs: Served) -> None:
    """Members that nobody knows are kept as they are."""
    given = container(futureMember={"a": 1}, portMappings=[{"containerPort": 80}])
    made = ecs.ask(
        "RegisterTaskDefinition",
        family="web",
        containerDefinitions=[given],
        cpu="0.25 vCPU",
        memory="1GB",
        enableFaultInjection=True,
        unknownAtTheTop=[1],
    )["taskDefinition"]
    assert (made["cpu"], made["memory"], made["networkMode"]) == ("256", "1024", "bridge")
    assert (made["enableFaultInjection"], made["unknownAtTheTop"]) == (True, [1])
    kept = made["containerDefinitions"][0]
    assert kept["futureMember"] == {"a": 1}
    assert kept["portMappings"] == [{"containerPort": 80, "hostPort": 0, "protocol": "tcp"}]
    assert (kept["cpu"], kept["essential"], kept["environment"], kept["systemControls"]) == (0, True, [], [])
    assert made["registeredAt"] > 1e9


def test_awsvpc_ports_are_the_same_on_the_host(ecs: Served) -> None:
    """A missing host port is filled in, and another one is refused."""
    made = ecs.ask(
        "RegisterTaskDefinition",
        family="web",
        networkMode="awsvpc",
        containerDefinitions=[container(portMappings=[{"containerPort": 80}])],
    )
    assert made["taskDefinition"]["containerDefinitions"][0]["portMappings"][0]["hostPort"] == 80
    with pytest.raises(Refused, match="must match"):
        ecs.define(networkMode="awsvpc", container={"portMappings": [{"containerPort": 80, "hostPort": 81}]})


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"family": "a b"}, "Family contains invalid characters"),
        ({"container": {"name": ""}}, "Container.name should not be null or empty."),
        (
            {"container": {"memory": None}},
            "At least one of 'memory' or 'memoryReservation' must be specified.",
        ),
        ({"container": {"memory": 4, "memoryReservation": 8}}, "The hard limit must be greater"),
        ({"container": {"essential": False}}, "at least one essential container"),
        ({"container": {"secrets": [{"name": "A", "valueFrom": "b"}]}}, "executionRoleArn"),
        ({"container": {"links": ["db"]}}, "does not exist"),
        ({"container": {"dependsOn": [{"containerName": "db", "condition": "START"}]}}, "does not exist"),
        ({"revision": 3}, "revision is set by Amazon ECS"),
        ({**AWSVPC}, "Fargate requires that 'cpu' be defined at the task level."),
        ({**AWSVPC, "cpu": "256", "memory": "4096"}, "No Fargate configuration exists for given values"),
        ({**AWSVPC, "networkMode": "bridge"}, "Fargate only supports network mode"),
        (
            {
                **AWSVPC,
                "cpu": "256",
                "memory": "512",
                "container": {"image": "1.dkr.ecr.us-east-1.amazonaws.com/a"},
            },
            "execution role ARN to support ECR images",
        ),
        ({"cpu": "much"}, "Invalid 'cpu' setting for task"),
    ],
)
def test_what_ecs_refuses_is_refused(ecs: Served, more: dict[str, Any], text: str) -> None:
    """As a ClientException with its words."""
    with pytest.raises(Refused, match=text) as refused:
        ecs.define(**more)
    assert (refused.value.code, refused.value.status) == ("ClientException", 400)


def test_memory_of_the_task_is_enough(ecs: Served) -> None:
    """Containers need none of their own then."""
    assert ecs.define(memory="512", container={"memory": None}) == "web:1"


@pytest.mark.parametrize("memory", ["512", "1024", "2048"])
def test_fargate_sizes_of_the_table_are_taken(ecs: Served, memory: str) -> None:
    """Each memory that the smallest cpu can have."""
    shown = ecs.define(**AWSVPC, cpu="256", memory=memory, executionRoleArn=EXECUTION_ROLE)
    made = ecs.ask("DescribeTaskDefinition", taskDefinition=shown)["taskDefinition"]
    assert made["compatibilities"] == ["EC2", "FARGATE"]


def test_a_wrong_type_or_word_is_named(ecs: Served) -> None:
    """By botocore's model of ECS; a missing member, too."""
    with pytest.raises(Refused, match="Invalid type for parameter") as refused:
        ecs.ask("RegisterTaskDefinition", family="web", containerDefinitions={})
    assert refused.value.code == "InvalidParameterException"
    with pytest.raises(Refused, match="enum value set"):
        ecs.define(networkMode="token-ring")
    with pytest.raises(Refused, match="Missing required parameter"):
        ecs.ask("RegisterTaskDefinition", family="web")


def test_describing_by_family_gives_the_newest_active_revision(ecs: Served) -> None:
    """An inactive one is described by its number; unknown ones are a ClientException."""
    ecs.define()
    ecs.define(tags=[{"key": "a", "value": "b"}])
    ecs.define()
    ecs.ask("DeregisterTaskDefinition", taskDefinition="web:3")
    newest = ecs.ask("DescribeTaskDefinition", taskDefinition="web", include=["TAGS"])
    assert (newest["taskDefinition"]["revision"], newest["tags"]) == (2, [{"key": "a", "value": "b"}])
    inactive = ecs.ask("DescribeTaskDefinition", taskDefinition="web:3")["taskDefinition"]
    assert (inactive["status"], "deregisteredAt" in inactive) == ("INACTIVE", True)
    with pytest.raises(Refused, match="Unable to describe task definition"):
        ecs.ask("DescribeTaskDefinition", taskDefinition="web:9")


def test_lists_are_by_whole_family_and_paged(ecs: Served) -> None:
    """`familyPrefix` of revisions is no prefix; that of families is."""
    for family in ("web", "web", "web-two"):
        ecs.define(family)
    first = ecs.ask("ListTaskDefinitions", familyPrefix="web", sort="DESC", maxResults=1)
    assert [arn.rpartition("/")[2] for arn in first["taskDefinitionArns"]] == ["web:2"]
    rest = ecs.ask("ListTaskDefinitions", familyPrefix="web", sort="DESC", nextToken=first["nextToken"])
    assert [arn.rpartition("/")[2] for arn in rest["taskDefinitionArns"]] == ["web:1"]
    assert ecs.ask("ListTaskDefinitionFamilies", familyPrefix="web")["families"] == ["web", "web-two"]


def test_an_active_definition_is_not_deleted(ecs: Served) -> None:
    """It is a failure, as an unknown one is."""
    ecs.define()
    answer = ecs.ask("DeleteTaskDefinitions", taskDefinitions=["web:1", "web:9"])
    assert [each["reason"][:20] for each in answer["failures"]] == [
        "The specified task d",
        "TASK_DEFINITION_NOT_",
    ]


def test_an_inactive_definition_starts_nothing_new(ecs: Served) -> None:
    """What runs with it keeps running."""
    ecs.define()
    ecs.ask("CreateService", cluster="demo", serviceName="web", taskDefinition="web:1", desiredCount=1)
    ecs.completed()
    ecs.ask("DeregisterTaskDefinition", taskDefinition="web:1")
    for operation, more in (
        ("RunTask", {}),
        ("CreateService", {"serviceName": "two", "desiredCount": 1}),
        ("UpdateService", {"service": "web"}),
    ):
        with pytest.raises(Refused, match="TaskDefinition is inactive"):
            ecs.ask(operation, cluster="demo", taskDefinition="web:1", **more)
    scaled = ecs.ask("UpdateService", cluster="demo", service="web", desiredCount=2)["service"]
    assert scaled["desiredCount"] == 2
    ecs.until(lambda: ecs.service()["runningCount"] == 2)
