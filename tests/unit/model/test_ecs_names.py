"""Names of ECS clusters, services and tasks."""

from __future__ import annotations

import pytest

from ecr_widgets.errors import InputError
from ecr_widgets.model.ecs_names import EcsAddress, is_ecs

HERE = EcsAddress("aws", "us-east-1", "111222333444")


@pytest.mark.parametrize(
    "name", ["ecs:demo", "ecs:", f"ecs:{HERE.cluster('demo')}", HERE.cluster("demo"), HERE.task("demo", "1f")]
)
def test_a_name_that_says_so_is_of_ecs(name: str) -> None:
    """A name is ECS's if it has the prefix or is an ARN of ECS, even if the rest is empty."""
    assert is_ecs(name)


@pytest.mark.parametrize(
    "name", ["demo", "demo24e9e412", "arn", "arn:aws:ecr:us-east-1:111222333444:repository/demo"]
)
def test_all_other_names_are_of_layer0(name: str) -> None:
    """Any other name is Layer0's."""
    assert not is_ecs(name)


@pytest.mark.parametrize("environment", ["ecs:demo", HERE.cluster("demo"), f"ecs:{HERE.cluster('demo')}"])
def test_a_cluster_is_named_in_three_ways(environment: str) -> None:
    """A cluster's name is read from its prefixed name or its ARN."""
    assert HERE.cluster_name(environment) == "demo"


@pytest.mark.parametrize(
    ("arn", "why"),
    [
        ("arn:aws:ecs:eu-west-1:111222333444:cluster/demo", "wrong region: .* not in us-east-1 of account"),
        ("arn:aws:ecs:us-east-1:999999999999:cluster/demo", "wrong account"),
        ("arn:aws-cn:ecs:us-east-1:111222333444:cluster/demo", "wrong account"),
        (HERE.service("demo", "web"), "is not the ARN of an ECS cluster"),
        ("ecs:", "names no ECS cluster"),
        ("ecs:de/mo", "names no ECS cluster"),
    ],
)
def test_another_place_is_refused(arn: str, why: str) -> None:
    """A cluster of another account or region, and an invalid name, are refused."""
    with pytest.raises(InputError, match=why):
        HERE.cluster_name(arn)


def test_ids_are_long_arns() -> None:
    """Services and tasks are identified by long ARNs; a short one is refused, as it lacks the cluster."""
    assert HERE.in_cluster(HERE.service("demo", "web"), "service") == ("demo", "web")
    assert HERE.in_cluster(HERE.task("demo", "1f"), "task") == ("demo", "1f")
    with pytest.raises(InputError, match=r"use its long ARN: .*service/CLUSTER/web"):
        HERE.in_cluster(f"{HERE}:service/web", "service")
