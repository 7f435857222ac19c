"""Differences between two Dockerruns."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from ecr_widgets.dockerrun.diff import contents, diff
from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.dockerrun.form import same
from tests.unit.dockerrun.definitions import ROLE, definition, ecs, parse

CONTAINER: dict[str, Any] = {"name": "web", "image": "r.example/web:1", "memory": 64}


def dockerrun(*containers: dict[str, Any], **more: Any) -> Dockerrun:
    return Dockerrun.parse(json.dumps({"containerDefinitions": list(containers), **more}).encode())


def shown(before: Dockerrun, after: Dockerrun) -> list[str]:
    return [str(change) for change in diff(before, after)]


def test_spelling_and_what_layer0_adds_are_no_difference() -> None:
    """Key case, explicit nulls, defaults and Layer0's log configuration are no difference."""
    pascal = {
        "Name": "web",
        "Image": "r.example/web:1",
        "Memory": 64,
        "Cpu": 0,
        "Command": None,
        "LogConfiguration": {
            "LogDriver": "awslogs",
            "Options": {"awslogs-group": "l0-x", "awslogs-stream-prefix": "l0"},
        },
    }
    assert shown(dockerrun(CONTAINER), dockerrun(pascal, family="l0-web", networkMode="bridge")) == []


def test_each_change_tells_place_and_both_values() -> None:
    """Each change has its kind, its pointer and both values."""
    before = dockerrun(CONTAINER | {"command": ["a"]})
    after = dockerrun(CONTAINER | {"image": "r.example/web:2", "cpu": 5})
    assert shown(before, after) == [
        'removed /containerDefinitions/0/command: ["a"]',
        "added /containerDefinitions/0/cpu: 5",
        'changed /containerDefinitions/0/image: "r.example/web:1" → "r.example/web:2"',
    ]


def test_a_container_put_in_front_is_one_addition() -> None:
    """A container added in front is one addition, since containers are matched by name."""
    front = CONTAINER | {"name": "front"}
    (change,) = diff(dockerrun(CONTAINER), dockerrun(front, CONTAINER))
    assert (change.kind, change.pointer) == ("added", "/containerDefinitions/0")


def test_the_order_of_containers_is_a_difference() -> None:
    """For Layer0 the order of containers is a difference, since a load balancer uses the first matching port."""
    other = CONTAINER | {"name": "other"}
    assert shown(dockerrun(CONTAINER, other), dockerrun(other, CONTAINER)) == [
        'changed /containerDefinitions: ["web", "other"] → ["other", "web"]'
    ]


def test_values_of_environment_variables_are_masked() -> None:
    """Values of environment variables are masked in the difference and its repr, whatever their names."""
    environment = [
        {"name": "DB_PASSWORD", "value": "hunter22"},
        {"name": "DB", "value": "pg://u:hunter22@db/x"},
    ]
    changes = diff(dockerrun(CONTAINER), dockerrun(CONTAINER | {"environment": environment}))
    (shown,) = (re.sub(r"\([0-9a-f]{8}\)", "(mark)", str(each)) for each in changes)
    assert shown == (
        'added /containerDefinitions/0/environment: {"DB_PASSWORD": "*** (mark)", "DB": "*** (mark)"}'
    )
    assert "hunter22" not in repr(changes)


def test_hidden_values_can_be_told_apart() -> None:
    """Masked values have marks: equal ones for equal values within a process, different ones otherwise."""

    def shown(before: str, after: str, name: str = "DB_PASSWORD") -> list[str]:
        one, other = (
            dockerrun(CONTAINER | {"environment": [{"name": name, "value": value}]})
            for value in (before, after)
        )
        (change,) = diff(one, other)
        return re.findall(r"\*\*\* \(([0-9a-f]{8})\)", str(change))

    first, second = shown("hunter22", "hunter33")
    assert first != second
    assert shown("hunter22", "hunter44")[0] == first
    assert len(shown("aB3dE5fG7hJ9kL1mN3pQ", "zB3dE5fG7hJ9kL1mN3pQ", "SIGNING")) == 2


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["--password", "hunter22"], ["--password", "hunter33"]),
        (["--password", "hunter22"], ["--user", "u", "--password", "hunter33"]),
        ([], ["--password", "hunter22"]),
        (["start", "--password", "hunter22"], ["start"]),
        (["--password", "hunter22"], ["hunter22"]),
    ],
)
def test_an_argument_that_the_one_before_asks_for_as_a_secret_is_hidden(
    before: list[str], after: list[str]
) -> None:
    """An argument after `--password` is masked on either side of the difference, wherever it moved."""
    told = shown(dockerrun(CONTAINER | {"command": before}), dockerrun(CONTAINER | {"command": after}))
    assert told
    assert "hunter" not in "".join(told)


def test_none_is_told_exactly_where_the_content_is_equal() -> None:
    """If there is a difference, the hashes differ too; true and 1 are different values."""
    one, other = (dockerrun(CONTAINER | {"linuxParameters": inner}) for inner in ({}, {"maxSwap": 1}))
    assert shown(one, other) == ['added /containerDefinitions/0/linuxParameters: {"maxSwap": 1}']
    assert one.content_sha256() != other.content_sha256()
    assert not same({"a": 1}, {"a": True})


def test_a_first_deploy_tells_all_of_its_dockerrun_and_no_secret() -> None:
    """A first deploy lists each setting on its own line, each container's name and image first, without secrets."""
    web = CONTAINER | {"environment": [{"name": "DB_PASSWORD", "value": "hunter2"}], "command": ["a"]}
    told = [str(change) for change in contents(dockerrun(web, volumes=[{"name": "v"}]))]
    assert told[:3] == [
        'added /containerDefinitions/0/name: "web"',
        'added /containerDefinitions/0/image: "r.example/web:1"',
        'added /containerDefinitions/0/command: ["a"]',
    ]
    assert any(line.startswith("added /containerDefinitions/0/environment: ") for line in told)
    assert told[-1] == 'added /volumes/0/name: "v"'
    assert "hunter2" not in "".join(told)


def test_order_is_no_difference_for_ecs_where_it_means_nothing() -> None:
    """For ECS the order of containers, ports, secrets and links is no difference; that of a command's words is."""
    secrets = [{"name": name, "valueFrom": name} for name in "ab"]
    ports = [{"containerPort": 80}, {"containerPort": 53, "protocol": "udp"}]
    web = CONTAINER | {"secrets": secrets, "portMappings": ports, "command": ["a", "b"]}
    side = CONTAINER | {"name": "side", "links": ["web", "db"]}
    turned = web | {"secrets": secrets[::-1], "portMappings": ports[::-1]}
    db, role = CONTAINER | {"name": "db"}, {"executionRoleArn": ROLE}
    before = parse(definition(web, side, db, **role))
    after = parse(definition(side | {"links": ["db", "web"]}, db, turned, **role))
    assert shown(before, after) == []
    assert before.content_sha256() == after.content_sha256()
    changed = parse(definition(turned | {"command": ["b", "a"]}, side, db, **role))
    assert {change.pointer for change in diff(before, changed)} == {
        "/containerDefinitions/0/command/0",
        "/containerDefinitions/0/command/1",
    }


def test_a_difference_for_ecs_is_one_line_a_setting() -> None:
    """For ECS each changed setting is one line, and a changed item of a set does not affect the others."""
    secrets = [{"name": name, "valueFrom": f"/prod/{name}"} for name in "abc"]
    ports = [{"containerPort": port} for port in (80, 81)]
    before = ecs({"secrets": secrets, "portMappings": ports}, executionRoleArn=ROLE, cpu="256", memory="1GB")
    after = ecs(
        {
            "secrets": [secrets[2], {"name": "b", "valueFrom": "/test/b"}],
            "portMappings": [*ports, {"containerPort": 53}],
        },
        executionRoleArn=ROLE,
        cpu="0.5 vCPU",
        memory="1024",
    )
    assert shown(before, after) == [
        "added /containerDefinitions/0/portMappings/53: {}",
        'removed /containerDefinitions/0/secrets/a: {"valueFrom": "/prod/a"}',
        'changed /containerDefinitions/0/secrets/b/valueFrom: "/prod/b" → "/test/b"',
        'changed /cpu: "256" → "512"',
    ]


@pytest.mark.parametrize(
    "container",
    [
        {"essential": False},
        {"cpu": 1},
        {"environment": [{"name": "A", "value": ""}]},
        {"command": [""]},
        {"dockerLabels": {"a": ""}},
        {"restartPolicy": {"enabled": False}},
        {"versionConsistency": "disabled"},
        {"stopTimeout": 30},
        {"healthCheck": {"command": ["CMD", "true"], "timeout": 6}},
        {"portMappings": [{"containerPort": 80, "hostPort": 80}]},
        {"portMappings": [{"containerPort": 80, "name": "http"}]},
        {"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "l0-x", "awslogs-region": "r", "awslogs-stream-prefix": "l0"}}},
    ],
    ids=json.dumps,
)  # fmt: skip
def test_a_real_difference_is_one_for_ecs_too(container: dict[str, Any]) -> None:
    """For ECS, empty values, switches that are off and a port's details are differences, and so is Layer0's log setup."""
    side = CONTAINER | {"name": "side"}
    before, after = (parse(definition(CONTAINER | each, side)) for each in ({}, container))
    assert before.content_sha256() != after.content_sha256()
    assert len(diff(before, after)) == 1


def test_tags_and_family_are_no_content() -> None:
    """Tags and the family are not part of a task definition's content."""
    assert shown(ecs(), ecs(tags=[{"key": "team", "value": "ops"}], family="web")) == []


@pytest.mark.parametrize(
    ("container", "task"),
    [
        ({"restartPolicy": {"enabled": True, "restartAttemptPeriod": 300}}, {}),
        ({"restartPolicy": {"enabled": True}, "versionConsistency": "enabled"}, {}),
        ({"restartPolicy": {"enabled": True}}, {"enableFaultInjection": False, "networkMode": "bridge"}),
        (
            {"restartPolicy": {"enabled": True}, "startTimeout": None, "links": [], "hostname": ""},
            {"ipcMode": ""},
        ),
    ],
    ids=json.dumps,
)
def test_a_default_that_is_written_out_is_no_difference(
    container: dict[str, Any], task: dict[str, Any]
) -> None:
    """A default or an empty member that is written out is no difference."""
    assert shown(ecs({"restartPolicy": {"enabled": True}}), ecs(container, **task)) == []


def test_a_default_of_a_volume_that_is_written_out_is_no_difference() -> None:
    """A volume's defaults that ECS returns are no difference."""
    efs: dict[str, Any] = {"fileSystemId": "fs-1", "authorizationConfig": {"accessPointId": "fsap-1"}}
    written = efs | {"rootDirectory": "/", "transitEncryption": "DISABLED"}
    before, after = (
        ecs(
            volumes=[
                {"name": "efs", "efsVolumeConfiguration": config},
                {"name": "docker", "dockerVolumeConfiguration": {"driver": "local"} | docker},
                {"name": "plain"} | plain,
            ]
        )
        for config, docker, plain in (
            (efs, {}, {}),
            (written, {"scope": "task", "autoprovision": False}, {"host": {}, "configuredAtLaunch": False}),
        )
    )
    assert shown(before, after) == []


def test_an_empty_variable_is_a_value() -> None:
    """A variable with an empty value is kept."""
    made = ecs({"environment": [{"name": "A", "value": ""}]})
    assert made.normalized()["containerDefinitions"][0]["environment"] == {"A": ""}
