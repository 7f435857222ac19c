"""A task definition from a file or from ECS, converted to RegisterTaskDefinition's input."""

from __future__ import annotations

import json
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from ecr_widgets.dockerrun.diff import diff
from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.errors import InvalidDockerrun
from ecr_widgets.model.services import Dialect
from tests.unit.dockerrun.definitions import CONTAINER, FARGATE, ROLE, definition, ecs, parse, stored

INPUT = (
    botocore.session.get_session()
    .get_service_model("ecs")
    .operation_model("RegisterTaskDefinition")
    .input_shape
)
SECRET = "arn:aws:secretsmanager:us-east-1:111222333444:secret:prod/db-AbCdEf"

NAMES = st.from_regex(r"[A-Z][A-Z_]{0,5}", fullmatch=True)
TEXTS = st.text(max_size=5).filter(lambda text: "\0" not in text)
PORTS = st.integers(1, 65535)


def listed(item: Any, by: str) -> Any:
    return st.lists(item, max_size=3, unique_by=lambda each: each[by])


def maybe(**members: Any) -> Any:
    return st.fixed_dictionaries({}, optional=members)


def container(name: str, *, shares_network: bool) -> Any:
    """A container that ECS accepts, without references to another one."""
    first = {"web": 1000, "side": 2000}[name]
    ports = st.integers(first, first + 999)
    mapping = ports.map(lambda port: {"containerPort": port})
    if not shares_network:
        mapping |= ports.map(lambda port: {"containerPort": port, "hostPort": port})
    udp = st.just({"protocol": "udp"}) | st.just({"protocol": "tcp"}) | st.just({})
    return st.fixed_dictionaries(
        {"name": st.just(name), "image": st.just("r.example/app:1"), "memory": st.integers(4, 200)},
        optional={
            "cpu": st.integers(0, 100),
            "essential": st.just(value=True),
            "command": st.lists(TEXTS, max_size=2),
            "environment": listed(st.fixed_dictionaries({"name": NAMES, "value": TEXTS}), "name"),
            "secrets": listed(
                st.fixed_dictionaries(
                    {
                        "name": NAMES.map(lambda text: f"{text}1"),
                        "valueFrom": st.sampled_from((SECRET, f"{SECRET}:key::", "/prod/db")),
                    }
                ),
                "name",
            ),
            "portMappings": listed(
                st.tuples(mapping, udp).map(lambda pair: pair[0] | pair[1]), "containerPort"
            ),
            "healthCheck": st.fixed_dictionaries(
                {"command": st.just(["CMD", "true"])},
                optional={
                    "interval": st.integers(5, 40),
                    "retries": st.integers(1, 5),
                    "startPeriod": st.integers(0, 9),
                },
            ),
            "mountPoints": st.just([{"sourceVolume": "data", "containerPath": "/data"}]),
            "dockerLabels": st.dictionaries(TEXTS, TEXTS, max_size=2),
            "ulimits": st.just([{"name": "nofile", "softLimit": 1, "hardLimit": 2}]),
            "restartPolicy": st.fixed_dictionaries(
                {"enabled": st.booleans()}, optional={"restartAttemptPeriod": st.sampled_from((60, 300))}
            ),
            "versionConsistency": st.sampled_from(("enabled", "disabled")),
            "logConfiguration": st.sampled_from(
                ({"logDriver": "splunk"}, {"logDriver": "splunk", "options": {"splunk-url": "https://x"}})
            ),
            "linuxParameters": maybe(initProcessEnabled=st.booleans()),
            "stopTimeout": st.integers(2, 120),
        },
    )


@st.composite
def definitions(draw: Any) -> dict[str, Any]:
    fargate, mode = draw(st.booleans()), draw(st.sampled_from(("bridge", "host", "awsvpc", None)))
    shares = fargate or mode in ("host", "awsvpc")
    containers = [draw(container("web", shares_network=shares))]
    if draw(st.booleans()):
        side = draw(container("side", shares_network=shares))
        side |= {
            "dependsOn": [{"containerName": "web", "condition": "START"}],
            "essential": draw(st.booleans()),
        }
        containers.insert(draw(st.integers(0, 1)), side)
    task = {"executionRoleArn": ROLE, "volumes": [{"name": "data"}]} | draw(
        maybe(
            pidMode=st.just("task"),
            enableFaultInjection=st.booleans(),
            runtimePlatform=maybe(cpuArchitecture=st.sampled_from(("ARM64", "X86_64"))),
            tags=st.just([{"key": "team", "value": "ops"}]),
        )
    )
    if fargate:
        sizes = draw(st.sampled_from((("256", "512"), ("0.25 vCPU", "1GB"), ("2 vCPU", "4GB"))))
        return definition(*containers, **task | FARGATE | {"cpu": sizes[0], "memory": sizes[1]})
    return definition(*containers, **task, **({"networkMode": mode} if mode else {}))


@given(definitions())
def test_what_ecs_stores_equals_what_was_registered(document: dict[str, Any]) -> None:
    """A definition that ECS has stored equals the one that was registered, and reads back the same."""
    wanted, held = parse(document), Dockerrun.described(stored(document))
    assert diff(wanted, held) == ()
    assert held.content_sha256() == wanted.content_sha256()
    again = parse(json.loads(held.to_bytes()))
    assert again.content_sha256() == wanted.content_sha256()


@given(definitions())
def test_what_is_taken_is_valid_input_for_botocore(document: dict[str, Any]) -> None:
    """A definition and its stored form are both valid input for botocore, without a family."""
    for read in (parse(document), Dockerrun.described(stored(document))):
        sent = json.loads(read.to_bytes())
        assert "family" not in sent
        report = ParamValidator().validate(sent | {"family": "web"}, INPUT)
        assert not report.has_errors(), report.generate_report()


def test_an_answer_of_ecs_is_read_without_what_it_adds() -> None:
    """An answer of ECS, wrapped or not, is read without the members that ECS adds, with a warning for each."""
    task = json.loads(json.dumps(stored(definition()), default=str))
    wrapped = {
        "taskDefinition": task,
        "tags": [{"key": "aws:cloudformation:stack-name"}, {"key": "team", "value": "ops"}],
    }
    read = parse(wrapped)
    assert read.content_sha256() == ecs().content_sha256()
    assert (read.family, json.loads(read.to_bytes())["tags"]) == ("web", [{"key": "team", "value": "ops"}])
    assert [warning.split()[0] for warning in read.warnings()] == [
        *(
            f"/taskDefinition/{name}"
            for name in ("taskDefinitionArn", "revision", "status", "requiresAttributes")
        ),
        *(f"/taskDefinition/{name}" for name in ("compatibilities", "registeredAt", "registeredBy")),
        "/tags/0",
    ]
    plain = [warning.replace("/taskDefinition/", "/") for warning in read.warnings()[:-1]]
    assert list(parse(task).warnings()) == plain


def test_layer0s_rendering_is_a_task_definition() -> None:
    """Layer0's rendering is sent without its key case, nulls and comments; empty texts stay."""
    container = {"Name": "web", "Image": "app:1", "Memory": 64, "Command": None, "_note": "ours"}
    sent = parse(
        definition(
            container | {"Environment": [{"Name": "EMPTY", "Value": ""}]},
            AWSEBDockerrunVersion=2,
            family="l0-web",
        )
    )
    assert json.loads(sent.to_bytes()) == definition(
        {"name": "web", "image": "app:1", "memory": 64, "environment": [{"name": "EMPTY", "value": ""}]}
    )


def test_an_unknown_member_is_kept_compared_and_warned_about() -> None:
    """An unknown member is sent, compared and reported, with a suggestion if it looks like a typing error."""
    new = {"newThing": {"Inner": [1, {"b": None}]}, "enviroment": [{"name": "A", "value": "1"}]}
    read = ecs(new, pidMood="host", runtimePlatform={"operatingSystemFamily": "LINUXX"})
    sent = json.loads(read.to_bytes())
    assert sent["pidMood"] == "host"
    assert sent["containerDefinitions"][0].items() >= new.items()
    assert read.warnings() == (
        "/containerDefinitions/0/newThing is not known here and goes to ECS as it is",
        "/containerDefinitions/0/enviroment is not known here and goes to ECS as it is; did you mean environment?",
        "/pidMood is not known here and goes to ECS as it is; did you mean pidMode?",
        "/runtimePlatform/operatingSystemFamily is not known here and goes to ECS as it is; did you mean LINUX?",
    )
    changed = ecs(new | {"newThing": {"Inner": [1, {"b": False}]}}, pidMood="host")
    assert [change.pointer for change in diff(read, changed)] == [
        "/containerDefinitions/0/newThing/Inner/1/b",
        "/runtimePlatform",
    ]


def test_an_empty_member_that_ecs_began_to_return_is_no_difference() -> None:
    """An empty member that only a newer ECS returns is no difference; one that is false is."""
    newer = stored(definition(CONTAINER | {"newList": [], "newObject": {}}, newText=""))
    assert Dockerrun.described(newer).content_sha256() == ecs().content_sha256()
    assert Dockerrun.described(newer | {"newSwitch": False}).content_sha256() != ecs().content_sha256()


def test_only_what_is_sent_counts_as_its_size() -> None:
    """The size limit applies to what is sent, not to an answer of ECS with its additions."""
    answer = {"taskDefinition": definition() | {"requiresAttributes": [{"name": "a" * 100}] * 800}}
    assert parse(answer).content_sha256() == ecs().content_sha256()
    stored_one = json.dumps(answer["taskDefinition"], indent=4).encode()
    assert Dockerrun.stored(stored_one, Dialect.ECS).content_sha256() == ecs().content_sha256()
    for more in (64, 300):
        with pytest.raises(InvalidDockerrun, match=r"larger than \d+ bytes"):
            ecs({"command": ["a" * more * 1024]})
