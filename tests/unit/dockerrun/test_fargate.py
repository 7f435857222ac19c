"""Fargate's rules for a task definition."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from ecr_widgets.errors import InvalidDockerrun
from tests.unit.dockerrun.definitions import CONTAINER, FARGATE, definition, ecs, parse

# From ECS's documentation, in MiB.
SIZES = {
    "256": [512, 1024, 2048],
    "512": [1024 * size for size in (1, 2, 3, 4)],
    "1024": [1024 * size for size in (2, 3, 4, 5, 6, 7, 8)],
    "2048": [1024 * size for size in range(4, 17)],
    "4096": [1024 * size for size in range(8, 31)],
    "8192": [1024 * size for size in (16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60)],
    "16384": [1024 * size for size in (32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120)],
}


@pytest.mark.parametrize("cpu", SIZES)
def test_each_cpu_has_its_own_sizes_of_memory(cpu: str) -> None:
    """Each CPU size accepts exactly the documented memory sizes, in any unit."""
    taken = []
    for memory in (256, 512, *range(1024, 130 * 1024, 1024)):
        with suppress(InvalidDockerrun):
            read = ecs(**FARGATE | {"cpu": cpu, "memory": str(memory)})
            taken.append(memory)
            units = {"cpu": f"{int(cpu) / 1024:g} vCPU", "memory": f"{memory / 1024:g} GB"}
            assert ecs(**FARGATE | units).content_sha256() == read.content_sha256()
    assert taken == SIZES[cpu]


@pytest.mark.parametrize(
    ("task", "pointer", "message"),
    [
        ({"cpu": ""}, "", "Fargate wants the task's cpu; \"cpu\" is one of: 256, 512, 1024"),
        ({"cpu": "300"}, "/cpu", "Fargate has no task of 300 CPU units"),
        ({"memory": ""}, "", 'the task\'s memory; with "cpu": "256", "memory" is one of: 512, 1024, 2048'),
        ({"cpu": "8 vCPU"}, "/memory", '8192 CPU units and 512 MiB; with "cpu": "8192", "memory" is 16384 to 61440 in steps of 4096'),
        ({"networkMode": ""}, "", 'Fargate has network mode awsvpc only; add "networkMode": "awsvpc"'),
        ({"networkMode": "bridge"}, "/networkMode", "'bridge' here; use one of: awsvpc"),
        ({"pidMode": "host"}, "/pidMode", "'host' here; use one of: task"),
        ({"ipcMode": "task"}, "/ipcMode", "Fargate has no ipcMode"),
        ({"placementConstraints": [{"type": "memberOf"}]}, "/placementConstraints", "Fargate has no placementConstraints"),
        ({"ephemeralStorage": {"sizeInGiB": 20}}, "/ephemeralStorage/sizeInGiB", "20 here; 21 to 200"),
        ({"volumes": [{"name": "a", "host": {"sourcePath": "/a"}}]}, "/volumes/0/host/sourcePath", "Fargate has no sourcePath"),
    ],
)  # fmt: skip
def test_a_task_that_fargate_cannot_run_is_refused(task: dict[str, Any], pointer: str, message: str) -> None:
    """A task that Fargate cannot run is refused with the values that it accepts."""
    with pytest.raises(InvalidDockerrun) as caught:
        ecs(**FARGATE | task)
    assert (caught.value.pointer, message in str(caught.value)) == (pointer, True), caught.value


@pytest.mark.parametrize(
    ("container", "pointer", "message"),
    [
        ({"privileged": True}, "privileged", "Fargate has no privileged"),
        ({"linuxParameters": {"maxSwap": 1}}, "linuxParameters/maxSwap", "Fargate has no maxSwap"),
        ({"linuxParameters": {"capabilities": {"add": ["NET_ADMIN"]}}}, "linuxParameters/capabilities/add/0", "SYS_PTRACE"),
        ({"resourceRequirements": [{"type": "GPU", "value": "1"}]}, "resourceRequirements/0", "Fargate has no GPU"),
        ({"stopTimeout": 121}, "stopTimeout", "121 here; 2 to 120"),
        ({"stopTimeout": 0}, "stopTimeout", "0 here; 2 to 120"),
        ({"logConfiguration": {"logDriver": "json-file"}}, "logConfiguration/logDriver", "use one of: awslogs, splunk, awsfirelens"),
        ({"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "a", "awslogs-region": "b"}}},
         "logConfiguration/options", "without awslogs-stream-prefix"),
        ({"cpu": 257}, "cpu", "the containers reserve 257 of the task's 256"),
    ],
)  # fmt: skip
def test_a_container_that_fargate_cannot_run_is_refused(
    container: dict[str, Any], pointer: str, message: str
) -> None:
    """A container that Fargate cannot run is refused, although it is accepted on EC2."""
    with pytest.raises(InvalidDockerrun) as caught:
        ecs(container, **FARGATE)
    places = (f"/containerDefinitions/0/{pointer}", f"/{pointer}")
    assert (caught.value.pointer in places, message in str(caught.value)) == (True, True), caught.value
    ecs(container)


def test_what_fargate_takes_is_taken() -> None:
    """Sidecars, EFS volumes, Fargate's log drivers and SYS_PTRACE are accepted."""
    side = {
        "name": "side",
        "image": "r.example/side:1",
        "dependsOn": [{"containerName": "web", "condition": "START"}],
    }
    tracing = {
        "linuxParameters": {"capabilities": {"add": ["SYS_PTRACE"], "drop": ["ALL"]}},
        "stopTimeout": 2,
    }
    volume = {
        "name": "data",
        "efsVolumeConfiguration": {"fileSystemId": "fs-1", "transitEncryption": "ENABLED"},
    }
    mount = {"mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}]}
    parse(
        definition(
            CONTAINER | tracing | mount,
            side | {"logConfiguration": {"logDriver": "awsfirelens"}},
            **FARGATE | {"pidMode": "task", "ephemeralStorage": {"sizeInGiB": 200}, "volumes": [volume]},
        )
    )
