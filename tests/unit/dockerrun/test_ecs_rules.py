"""ECS's rules for a task definition."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.errors import InvalidDockerrun
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.services import Dialect
from tests.unit.dockerrun.definitions import CONTAINER, FARGATE, IMAGE, ROLE, definition, ecs, parse

SHIPPED = Path(__file__).parents[3] / "notebooks" / "wait" / "timeout.dockerrun.aws.json"
SECRET = "arn:aws:secretsmanager:us-east-1:111222333444:secret:prod/db-AbCdEf"
AWSLOGS = {"awslogs-group": "/ecs/web", "awslogs-region": "us-east-1"}


def refused(document: dict[str, Any]) -> InvalidDockerrun:
    with pytest.raises(InvalidDockerrun) as caught:
        parse(document)
    return caught.value


@pytest.mark.parametrize("dialect", Dialect)
def test_the_shipped_example_is_for_both(dialect: Dialect) -> None:
    """The shipped example has the same content for Layer0 and ECS, and no warnings."""
    read = Dockerrun.parse(SHIPPED.read_bytes(), dialect)
    assert json.loads(read.to_bytes()) == json.loads(SHIPPED.read_bytes())
    assert read.content_sha256() == Dockerrun.parse(SHIPPED.read_bytes()).content_sha256()
    assert read.warnings() == ()


def test_memory_of_the_task_suffices_for_ecs_only() -> None:
    """Memory of the task is enough for ECS; for Layer0, which ignores it, each container needs its own."""
    document = definition({"name": "web", "image": "app:1"}, memory="0.5 GB")
    (container,) = parse(document).containers
    assert container.memory_mib is None
    for content, dialect in (
        (document, Dialect.LAYER0),
        (definition({"name": "web", "image": "app:1"}), Dialect.ECS),
    ):
        with pytest.raises(InvalidDockerrun, match="without memory"):
            Dockerrun.parse(json.dumps(content).encode(), dialect)


@pytest.mark.parametrize(
    ("container", "pointer", "why", "hint"),
    [
        ({"portMappings": [{"hostPort": 80}]}, "portMappings/0", "no containerPort", "containerPortRange"),
        ({"portMappings": [{}]}, "portMappings/0", "no containerPort", "containerPortRange"),
        ({"portMappings": [{"containerPort": 1, "containerPortRange": "2-3"}]}, "portMappings/0", "containerPort and", "give one of"),
        ({"portMappings": [{"containerPortRange": "80"}]}, "portMappings/0/containerPortRange", "not a range of ports", "8000-8010"),
        ({"restartPolicy": {}}, "restartPolicy", "no enabled", "add"),
        ({"restartPolicy": {"enabled": True, "restartAttemptPeriod": 59}}, "restartPolicy/restartAttemptPeriod", "59", "60 to 1800"),
        ({"restartPolicy": {"enabled": True, "ignoredExitCodes": [1] * 51}}, "restartPolicy/ignoredExitCodes", "51 items", "0 to 50"),
        ({"versionConsistency": "on"}, "versionConsistency", "not one of", "enabled, disabled"),
        ({"environmentFiles": [{"value": "arn:aws:s3:::b/a.txt", "type": "s3"}]}, "environmentFiles/0/value", "ends in .env", "app.env"),
        ({"credentialSpecs": ["arn:aws:s3:::b/a"]}, "credentialSpecs/0", "not a credential spec", "credentialspec:ARN"),
        ({"credentialSpecs": ["credentialspec:arn:aws:s3:::b/a"] * 2}, "credentialSpecs", "2 items", "0 to 1"),
        ({"logConfiguration": {"logDriver": "awslogs"}}, "logConfiguration/options", "without awslogs-group, awslogs-region", "awslogs-group"),
        ({"dependsOn": [{"containerName": "web", "condition": "READY"}]}, "dependsOn/0/condition", "'READY'", "HEALTHY"),
        ({"links": ["side"]}, "links/0", "no container 'side'", "web"),
        ({"healthCheck": {"command": ["true"]}}, "healthCheck/command", "begins with CMD", "CMD-SHELL"),
        ({"cpu": "256"}, "cpu", "text where a whole number", "without quotes"),
    ],
)  # fmt: skip
def test_a_wrong_container_is_refused(container: dict[str, Any], pointer: str, why: str, hint: str) -> None:
    """An invalid container is refused with its pointer, the reason and what to write instead."""
    error = refused(definition(CONTAINER | container, executionRoleArn=ROLE))
    assert error.pointer == f"/containerDefinitions/0/{pointer}"
    assert why in error.why
    assert hint in (error.hint or "")


@pytest.mark.parametrize(
    ("task", "pointer", "why"),
    [
        ({"cpu": 256}, "/cpu", "a number where text belongs"),
        ({"cpu": "half"}, "/cpu", "'half' is not a size of a task's cpu"),
        ({"memory": "512MB"}, "/memory", "'512MB' is not a size of a task's memory"),
        ({"memory": "32"}, "/memory", "the containers reserve 64 of the task's 32"),
        ({"networkMode": "nat"}, "/networkMode", "'nat' is not one of"),
        ({"pidMode": "none"}, "/pidMode", "'none' is not one of"),
        ({"volumes": [{"host": {}}]}, "/volumes/0", "a volume without a name"),
        ({"ephemeralStorage": {}}, "/ephemeralStorage", "no sizeInGiB"),
        ({"tags": [{"key": str(number)} for number in range(51)]}, "/tags", "51 items"),
    ],
)
def test_a_wrong_task_is_refused(task: dict[str, Any], pointer: str, why: str) -> None:
    """An invalid setting of the task is refused with its pointer and the reason."""
    error = refused(definition(**task))
    assert (error.pointer, why in error.why) == (pointer, True), error


@pytest.mark.parametrize("name", ["links", "extraHosts", "hostname"])
def test_what_the_own_network_of_a_task_lacks_is_refused(name: str) -> None:
    """Links, extra hosts and host names are refused under awsvpc."""
    value = {"links": ["web"], "extraHosts": [{"hostname": "a", "ipAddress": "1.1.1.1"}], "hostname": "a"}[
        name
    ]
    error = refused(definition(CONTAINER | {name: value}, networkMode="awsvpc"))
    assert (error.pointer, error.why) == (
        f"/containerDefinitions/0/{name}",
        f"network mode awsvpc has no {name}",
    )


def test_host_ports_under_awsvpc_are_the_containers_own() -> None:
    """Under awsvpc a host port must be absent, 0 or the container's, and unique; mode none has no ports."""
    mapping: dict[str, Any]
    contents = set()
    for mapping in ({}, {"hostPort": 0}, {"hostPort": 80}):
        contents.add(
            ecs({"portMappings": [{"containerPort": 80} | mapping]}, networkMode="awsvpc").content_sha256()
        )
    assert len(contents) == 1
    ports = {"portMappings": [{"containerPort": 80, "hostPort": 81}]}
    error = refused(definition(CONTAINER | ports, networkMode="awsvpc"))
    assert (error.pointer, error.hint) == (
        "/containerDefinitions/0/portMappings/0/hostPort",
        "leave hostPort out",
    )
    side = CONTAINER | {"portMappings": [{"containerPort": 80}]}
    error = refused(definition(side, side | {"name": "side"}, networkMode="awsvpc"))
    assert "already used at /containerDefinitions/0" in error.why
    assert refused(definition(side, networkMode="none")).why == "network mode none has no portMappings"


@pytest.mark.parametrize(
    "reference",
    [
        SECRET,
        f"{SECRET}:password::",
        f"{SECRET}:password:AWSCURRENT:",
        f"{SECRET}:::12345678-1234",
        "arn:aws-cn:secretsmanager:cn-north-1:111222333444:secret:db",
        "arn:aws:ssm:us-east-1:111222333444:parameter/prod/db",
        "/prod/db.password",
        "db_password",
    ],
)
def test_secrets_are_given_by_reference(reference: str) -> None:
    """A secret may be Secrets Manager's ARN, with or without its parts, or SSM's ARN or name, also in log options."""
    secret = {"name": "DB", "valueFrom": reference}
    logging = {"logDriver": "splunk", "secretOptions": [secret | {"name": "splunk-token"}]}
    read = ecs({"secrets": [secret], "logConfiguration": logging}, executionRoleArn=ROLE)
    assert read.normalized()["containerDefinitions"][0]["secrets"] == {"DB": {"valueFrom": reference}}


@pytest.mark.parametrize(
    "reference",
    [
        "",
        f"{SECRET}:password",
        f"{SECRET}:a:b:c:d",
        "arn:aws:s3:::bucket/key",
        "pass word",
        "${SECRET}",
        "hunter2!",
    ],
)
def test_what_is_no_reference_is_refused_and_not_shown(reference: str) -> None:
    """A secret that is not a reference is refused without showing it."""
    error = refused(
        definition(CONTAINER | {"secrets": [{"name": "DB", "valueFrom": reference}]}, executionRoleArn=ROLE)
    )
    assert error.pointer.startswith("/containerDefinitions/0/secrets/0")
    assert not reference or reference not in str(error)


def test_a_name_is_set_once() -> None:
    """A name that is set twice, as a secret or as a variable, is refused."""
    secret = {"name": "DB", "valueFrom": "db"}
    for container in (
        {"secrets": [secret, secret]},
        {"environment": [{"name": "DB", "value": ""}], "secrets": [secret]},
    ):
        error = refused(definition(CONTAINER | container, executionRoleArn=ROLE))
        assert error.why == "variable 'DB' is set twice"
        assert "/secrets/" in error.pointer


@pytest.mark.parametrize(
    ("container", "pointer"),
    [
        ({"secrets": [{"name": "DB", "valueFrom": "db"}]}, "secrets"),
        ({"repositoryCredentials": {"credentialsParameter": SECRET}}, "repositoryCredentials"),
        ({"environmentFiles": [{"value": "arn:aws:s3:::b/a.env", "type": "s3"}]}, "environmentFiles"),
        ({"logConfiguration": {"logDriver": "splunk", "secretOptions": [{"name": "splunk-token", "valueFrom": "t"}]}},
         "logConfiguration/secretOptions"),
    ],
)  # fmt: skip
def test_what_ecs_reads_before_the_start_needs_an_execution_role(
    container: dict[str, Any], pointer: str
) -> None:
    """Secrets, private registries and environment files need an execution role; awslogs on EC2 does not."""
    error = refused(definition(CONTAINER | container))
    assert (error.pointer, error.hint) == (
        f"/containerDefinitions/0/{pointer}",
        'add "executionRoleArn" to the task',
    )
    ecs(container, executionRoleArn=ROLE)
    ecs({"logConfiguration": {"logDriver": "awslogs", "options": AWSLOGS}})


@pytest.mark.parametrize(
    ("container", "pointer"),
    [
        ({"image": IMAGE}, "image"),
        ({"image": "app:1", "logConfiguration": {"logDriver": "awslogs", "options": AWSLOGS | {"awslogs-stream-prefix": "web"}}},
         "logConfiguration/logDriver"),
    ],
)  # fmt: skip
def test_fargate_needs_an_execution_role_for_ecr_and_logs(container: dict[str, Any], pointer: str) -> None:
    """On Fargate, images in ECR and awslogs need an execution role; public images do not."""
    task = FARGATE | {"executionRoleArn": ""}
    error = refused(definition(CONTAINER | container, **task))
    assert (error.pointer, "needs an execution role" in error.why) == (
        f"/containerDefinitions/0/{pointer}",
        True,
    )
    ecs({"image": "app:1"}, **task)


def test_a_template_for_fargate_needs_the_role_already() -> None:
    """A template for Fargate without an execution role is refused, since the image that will be set is in ECR."""
    document = definition({"name": "web"}, **FARGATE)
    read = Dockerrun.template(json.dumps(document).encode(), Dialect.ECS)
    assert read.with_image(ImageReference.parse(IMAGE)).containers[0].image == IMAGE
    del document["executionRoleArn"]
    with pytest.raises(InvalidDockerrun) as caught:
        Dockerrun.template(json.dumps(document).encode(), Dialect.ECS)
    assert caught.value.pointer == "/containerDefinitions/0/image"


def test_a_place_inside_an_answer_of_ecs_is_that_in_the_file() -> None:
    """The pointer in a refused answer of ECS starts with /taskDefinition."""
    assert refused({"taskDefinition": definition(cpu="x")}).pointer == "/taskDefinition/cpu"
    assert refused({"taskDefinition": {"volumes": []}}).pointer == "/taskDefinition"
    bad: dict[str, Any]
    for bad, place in (
        ({"memory": 1}, "memory"),
        ({"links": ["db"]}, "links/0"),
        ({"name": ""}, "name"),
        ({"cpu": "1"}, "cpu"),
        ({"stopTimeout": 1}, "stopTimeout"),
    ):
        task = definition(CONTAINER | bad, **FARGATE | {"networkMode": "awsvpc"})
        if place == "links/0":
            task = definition(CONTAINER | bad)
        assert refused({"taskDefinition": task}).pointer == f"/taskDefinition/containerDefinitions/0/{place}"
    assert refused({"taskDefinition": definition(volumes=[{}])}).pointer == "/taskDefinition/volumes/0"


def test_setting_image_and_variables_keeps_the_dialect() -> None:
    """A changed task definition is still one for ECS, and a variable with a secret's name is refused."""
    secrets = [{"name": "DB", "valueFrom": "db"}]
    read = ecs({"secrets": secrets}, memory="1GB", executionRoleArn=ROLE, family="web")
    changed = read.with_environment("web", {"A": ""}).with_image(ImageReference.parse("app:2"))
    assert changed.dialect is Dialect.ECS
    assert json.loads(changed.to_bytes()) == definition(
        CONTAINER | {"image": "app:2", "secrets": secrets, "environment": [{"name": "A", "value": ""}]},
        memory="1GB",
        executionRoleArn=ROLE,
    )
    with pytest.raises(InvalidDockerrun, match="variable 'DB' is set twice"):
        read.with_environment("web", {"DB": "1"})


def test_each_launch_type_has_its_own_log_drivers() -> None:
    """EC2 accepts more log drivers than managed instances, and these more than Fargate; an unknown driver is a warning."""
    drivers = ["awslogs", "fluentd", "gelf", "json-file", "journald", "syslog", "splunk", "awsfirelens"]
    taken: dict[str, set[str]] = {}
    options = AWSLOGS | {"awslogs-stream-prefix": "web"}
    for where, task in (("EC2", {}), ("MANAGED_INSTANCES", {}), ("FARGATE", FARGATE)):
        for driver in drivers:
            with suppress(InvalidDockerrun):
                logging = {"logConfiguration": {"logDriver": driver, "options": options}}
                ecs(logging, **task | {"requiresCompatibilities": [where]})
                taken.setdefault(where, set()).add(driver)
    assert taken["EC2"] == set(drivers)
    assert taken["FARGATE"] == {"awslogs", "splunk", "awsfirelens"}
    assert taken["MANAGED_INSTANCES"] == taken["FARGATE"] | {"json-file"}
    assert "not known here" in ecs({"logConfiguration": {"logDriver": "new"}}).warnings()[0]


def test_a_refusal_calls_the_document_what_people_do() -> None:
    """A refusal says "task definition" for ECS, with its file if known, and "Dockerrun" for Layer0."""
    error = refused(definition(cpu="x"))
    assert str(error).startswith("Task definition refused at /cpu: 'x' is not a size")
    assert str(error.in_file("a.json")).startswith("Task definition 'a.json' refused at /cpu: ")
    for call in (
        lambda: Dockerrun.described({"containerDefinitions": 1}),
        lambda: Dockerrun.template(b"{}", Dialect.ECS),
        lambda: ecs().with_environment("web", {"A": "\0"}),
    ):
        with pytest.raises(InvalidDockerrun, match="Task definition refused"):
            call()
    with pytest.raises(InvalidDockerrun, match="Dockerrun refused"):
        Dockerrun.parse(b"{}")
