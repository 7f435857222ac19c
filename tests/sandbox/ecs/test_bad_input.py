"""Input that cannot work on ECS: one clear error by the first step that can know, and nothing is changed anywhere."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.errors import EcrWidgetsError, EcsError, EntityNotFound, InputError, InvalidDockerrun
from ecr_widgets.kit import Kit
from tests.sandbox.ecs.adapted import HERE, Adapted, adapted, write_document

ARN = "ecs:arn:aws:ecs:us-east-1:111222333444:cluster/demo"
VPC = {"networkMode": "awsvpc", "containerDefinitions": [{"name": "app", "image": "x", "memory": 64}]}
SUBNETS = {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}}
CODE_DEPLOY = {"deploymentController": {"type": "CODE_DEPLOY"}}


@pytest.fixture
def to() -> Iterator[Adapted]:
    with adapted() as made:
        yield made


@pytest.fixture
def kit(to: Adapted, tmp_path: Path) -> Kit:
    write_document(tmp_path)
    to.way.served.define("web")
    return to.kit(tmp_path)


def refused(to: Adapted, error: type[EcrWidgetsError], text: str, *calls: Any) -> None:
    """Each call ends with that error, and the sandbox has changed nothing."""
    before = to.way.changes()
    for call in calls:
        with pytest.raises(error, match=text) as raised:
            call()
        assert type(raised.value) is error
    assert to.way.changes() == before


@pytest.mark.parametrize(
    ("environment", "error", "text"),
    [
        ("ecs:nowhere", EntityNotFound, "environment 'ecs:nowhere' does not exist in ECS"),
        ("ecs:", InputError, "'ecs:' names no ECS cluster"),
        ("ecs:two words", InputError, "names no ECS cluster"),
        ("ecs:demo/web", InputError, "names no ECS cluster"),
        ("ecs:arn:aws:ecs:demo", InputError, "is not the ARN of an ECS cluster"),
        (ARN.replace(":cluster/", ":service/"), InputError, "is not the ARN of an ECS cluster"),
        (ARN.replace("111222333444", "999988887777"), InputError, "wrong account: "),
        (ARN.replace("us-east-1", "eu-west-1"), InputError, "wrong region: "),
    ],
)
def test_a_cluster_that_cannot_be_meant(
    kit: Kit, to: Adapted, environment: str, error: type[EcrWidgetsError], text: str
) -> None:
    """Unknown, malformed, or of another account or region."""
    refused(
        to,
        error,
        text,
        lambda: kit.check_target(environment=environment, service="web"),
        lambda: kit.deploy_service(environment, "web", "web:1"),
        lambda: kit.create_task(environment, "once", "web:1"),
    )


def test_a_cluster_that_was_deleted(kit: Kit, to: Adapted) -> None:
    """ECS describes it still."""
    to.way.served.ask("CreateCluster", clusterName="gone")
    to.way.served.ask("DeleteCluster", cluster="gone")
    refused(
        to,
        EntityNotFound,
        "cluster 'gone' is INACTIVE: it was deleted",
        lambda: kit.check_target(environment="ecs:gone", service="web"),
        lambda: kit.find_service("ecs:gone", "web"),
        lambda: kit.create_task("ecs:gone", "once", "web:1"),
    )


def test_a_region_that_the_run_is_not_in(tmp_path: Path) -> None:
    """The other region's ECS answers, or says that it is not there."""
    with adapted(region="eu-west-1") as to:
        kit = to.kit(tmp_path)
        refused(to, EcsError, "eu-west-1", lambda: kit.check_target(environment=HERE, service="web"))


def test_a_service_whose_deployments_are_codedeploys(kit: Kit, to: Adapted) -> None:
    """No step changes it, whichever comes first."""
    given = {"cluster": "demo", "serviceName": "web", "taskDefinition": "web:1", "desiredCount": 0}
    to.way.served.ask("CreateService", **given, **CODE_DEPLOY)
    refused(
        to,
        InputError,
        "its deployments are CodeDeploy's",
        lambda: kit.check_target(environment=HERE, service="web"),
        lambda: kit.deploy_service(HERE, "web", "web:1"),
        lambda: kit.layer0.scale_service(HERE, "web", 2),
    )


def test_a_fargate_definition_without_an_execution_role(kit: Kit, to: Adapted, tmp_path: Path) -> None:
    """Neither an image of ECR nor a log could be had."""
    image = "111222333444.dkr.ecr.us-east-1.amazonaws.com/app:1"
    task = {"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512"}
    (tmp_path / "f.json").write_text(
        json.dumps({**task, "containerDefinitions": [{"name": "app", "image": image}]})
    )
    refused(
        to,
        InvalidDockerrun,
        "needs an execution role",
        lambda: kit.check_target(environment=HERE, dockerrun="f.json", deploy="f"),
        lambda: kit.create_deploy("f", "f.json", image=to.image("a"), environment=HERE),
    )


def test_tasks_with_a_network_of_their_own_need_subnets(kit: Kit, to: Adapted, tmp_path: Path) -> None:
    """A new service and a task have none of their own; the service file names them, or nothing is stored."""
    (tmp_path / "vpc.json").write_text(json.dumps(VPC))
    (tmp_path / "s.json").write_text(json.dumps(SUBNETS))
    (tmp_path / "empty.json").write_text('{"networkConfiguration": {"awsvpcConfiguration": {"subnets": []}}}')
    named: dict[str, Any] = {"environment": HERE, "dockerrun": "vpc.json", "deploy": "vpc"}
    refused(
        to,
        InputError,
        "networkMode is awsvpc, and no subnets are named",
        lambda: kit.check_target(**named, service="new"),
        lambda: kit.check_target(**named, service="new", service_file="empty.json"),
        lambda: kit.check_target(**named),
    )
    stored = kit.create_deploy("vpc", "vpc.json", image=to.image("a"), environment=HERE)
    refused(
        to,
        InputError,
        "Network Configuration must be provided when networkMode 'awsvpc' is specified",
        lambda: kit.deploy_service(HERE, "new", stored),
        lambda: kit.create_task(HERE, "once", stored),
    )
    kit.check_target(**named, service="new", service_file="s.json")
    kit.wait(kit.deploy_service(HERE, "new", stored, service_file="s.json"), timeout_s=3000)
    kit.check_target(**named, service="new")


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ('{"cluster": "x"}', "at /cluster: a service file must not set it"),
        ('{"serviceName": "x"}', "at /serviceName: a service file must not set it"),
        ('{"taskDefinition": "x:1"}', "at /taskDefinition: a service file must not set it"),
        ('{"clientToken": "x"}', "at /clientToken: a service file must not set it"),
        ('{"desiredCuont": 2}', r"at /desiredCuont: no such setting; did you mean desiredCount\?"),
        ('{"launchType": "EC2", "launchType": "FARGATE"}', "launchType"),
        ("[]", "a list, not a JSON object"),
        ("{", "not JSON"),
    ],
)
def test_a_service_file_that_cannot_be_meant(
    kit: Kit, to: Adapted, tmp_path: Path, settings: str, text: str
) -> None:
    """It is said of the service file, by its name, before anything is looked at."""
    (tmp_path / "s.json").write_text(settings)
    refused(
        to,
        InvalidDockerrun,
        f"^Service file 's.json' refused.*{text}",
        lambda: kit.check_target(environment=HERE, service="new", service_file="s.json"),
        lambda: kit.deploy_service(HERE, "new", "web:1", service_file="s.json"),
    )


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"desiredCount": "two"}, "Invalid type for parameter desiredCount"),
        ({"launchType": "SOMEWHERE"}, "Value 'SOMEWHERE' at 'launchType'"),
        ({"launchType": "EC2", "capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]}, "both a launch type"),
    ],
)  # fmt: skip
def test_settings_that_ecs_refuses(
    kit: Kit, to: Adapted, tmp_path: Path, settings: dict[str, Any], text: str
) -> None:
    """In ECS's own words; no service is left of it."""
    (tmp_path / "s.json").write_text(json.dumps(settings))
    refused(to, EcsError, text, lambda: kit.deploy_service(HERE, "new", "web:1", service_file="s.json"))
    assert to.way.served.ask("ListServices", cluster="demo")["serviceArns"] == []


def test_a_load_balancer_of_layer0(kit: Kit, to: Adapted, tmp_path: Path) -> None:
    """ECS's target groups are in the service file."""
    refused(
        to,
        InputError,
        "load_balancer is for Layer0 only",
        lambda: kit.check_target(environment=HERE, load_balancer="lb", dockerrun="app.json"),
        lambda: kit.deploy_service(HERE, "web", "web:1", load_balancer="lb"),
    )


@pytest.mark.parametrize("deploy_id", ["web:77", "other:1", "two words"])
def test_a_deploy_that_is_not_there(kit: Kit, to: Adapted, deploy_id: str) -> None:
    """For a service that exists, a new one, and a task."""
    given = {"cluster": "demo", "serviceName": "web", "taskDefinition": "web:1", "desiredCount": 0}
    to.way.served.ask("CreateService", **given)
    refused(
        to,
        EcsError,
        "TaskDefinition not found",
        lambda: kit.deploy_service(HERE, "web", deploy_id),
        lambda: kit.deploy_service(HERE, "new", deploy_id),
        lambda: kit.create_task(HERE, "once", deploy_id),
    )


def test_a_family_with_thousands_of_revisions_is_not_read_whole(
    kit: Kit, to: Adapted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest twenty are compared, of the newest thousand that are listed, and the equal one among them is used again."""
    image, family = to.image("a"), "arn:aws:ecs:us-east-1:111222333444:task-definition/many"
    kit.create_deploy("many", "app.json", image=image, environment=HERE)
    listed = [f"{family}:{number}" for number in range(5000, 1, -1)]
    listed.insert(19, f"{family}:1")
    answers = [
        (200, {"taskDefinitionArns": listed[start : start + 100], "nextToken": f"from {start}"})
        for start in range(0, 5000, 100)
    ]
    monkeypatch.setitem(to.way.answers, "ListTaskDefinitions", answers)
    del to.way.asked[:]
    stored = kit.create_deploy("many", "app.json", image=image, environment=HERE)
    assert (stored.deploy_id, stored.changed) == ("many:1", False)
    asked = Counter(to.way.asked)
    assert (asked["ListTaskDefinitions"], asked["DescribeTaskDefinition"], asked.total()) == (10, 20, 30)
