"""Tasks that no container instance can ever run."""

from __future__ import annotations

from typing import Any

import pytest

from ecr_widgets.adapters.ecs.client import BotoEcs
from tests.unit.adapters.ecs.samples import WEB, definition
from tests.unit.adapters.ecs.scripted_aws import Refused, ScriptedAws


def instances(*sizes: tuple[int, int]) -> dict[str, Any]:
    """Container instances with so many CPU units and MiB, all of it in use."""
    return {
        "containerInstances": [
            {
                "status": "ACTIVE",
                "registeredResources": [
                    {"name": "CPU", "type": "INTEGER", "integerValue": cpu},
                    {"name": "MEMORY", "type": "INTEGER", "integerValue": memory},
                    {"name": "PORTS", "type": "STRINGSET", "stringSetValue": ["22"]},
                ],
                "remainingResources": [{"name": "MEMORY", "type": "INTEGER", "integerValue": 0}],
            }
            for cpu, memory in sizes
        ]
    }


def scripted(aws: ScriptedAws, *sizes: tuple[int, int], **members: Any) -> None:
    aws.answer("ListContainerInstances", {"containerInstanceArns": [f"i{n}" for n in range(len(sizes))]})
    aws.answer("DescribeContainerInstances", instances(*sizes))
    answer = definition("web:2")
    answer["taskDefinition"] |= members
    aws.answer("DescribeTaskDefinition", answer)


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"memory": "9000"}, "it needs 9000 MiB of memory, and no container instance has more than 8000"),
        ({"memory": "8000", "cpu": "2048"}, ""),
        ({"cpu": "4096"}, "it needs 4096 CPU units, and no container instance has more than 2048"),
        (
            {
                "containerDefinitions": [
                    {"name": "a", "memory": 9000, "memoryReservation": 5000},
                    {"name": "b", "memory": 3001},
                ]
            },
            "it needs 8001 MiB of memory, and no container instance has more than 8000",
        ),
        ({"containerDefinitions": [{"name": "a", "memory": 9000, "memoryReservation": 8000}]}, ""),
    ],
)
def test_the_largest_instance_decides(
    aws: ScriptedAws, ecs: BotoEcs, members: dict[str, Any], says: str
) -> None:
    """A task must fit an instance's total, not its free, resources; it needs its own size or its containers' reservations."""
    scripted(aws, (1024, 8000), (2048, 4000), **members)
    assert ecs.never_fits(WEB, "web:2") == says


def test_a_cluster_without_instances_may_get_one(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """In a cluster without instances any task may fit, since an instance of any size may join."""
    scripted(aws, memory="9000")
    assert ecs.never_fits(WEB, "web:2") == ""
    assert aws.asked_for("DescribeContainerInstances") == []


def test_who_may_not_ask_knows_nothing(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """If listing instances is forbidden, no task is said to never fit."""
    aws.answer("ListContainerInstances", Refused("AccessDeniedException", "not authorized"))
    assert ecs.never_fits(WEB, "web:2") == ""
