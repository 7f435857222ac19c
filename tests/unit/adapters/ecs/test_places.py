"""Clusters as environments."""

from __future__ import annotations

import pytest
from botocore.exceptions import ConnectTimeoutError

from ecr_widgets.adapters.ecs.client import BotoEcs
from ecr_widgets.errors import EntityNotFound, InputError
from ecr_widgets.model.services import Dialect, Place
from tests.fakes.ecs import ADDRESS
from tests.unit.adapters.ecs.samples import CLUSTER, missing
from tests.unit.adapters.ecs.scripted_aws import Refused, ScriptedAws


@pytest.mark.parametrize("name", ["ecs:demo", CLUSTER, f"ecs:{CLUSTER}"])
def test_a_cluster_is_found(aws: ScriptedAws, ecs: BotoEcs, name: str) -> None:
    """A cluster is found by its prefixed name or its ARN, and its id is the ARN."""
    aws.answer(
        "DescribeClusters", {"clusters": [{"clusterArn": CLUSTER, "status": "ACTIVE"}], "failures": []}
    )
    assert ecs.find_environment(name) == Place(CLUSTER, "ecs:demo")
    assert aws.asked == [("DescribeClusters", {"clusters": ["demo"]})]


def test_an_unknown_cluster_is_none(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """A cluster that ECS reports as MISSING, with status 200, is None."""
    aws.answer("DescribeClusters", missing(CLUSTER))
    assert ecs.find_environment("ecs:demo") is None


def test_a_deleted_cluster_is_one_clear_error(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """A deleted cluster, which ECS describes as INACTIVE, is reported as deleted."""
    aws.answer("DescribeClusters", {"clusters": [{"clusterArn": CLUSTER, "status": "INACTIVE"}]})
    with pytest.raises(EntityNotFound, match="cluster 'demo' is INACTIVE: it was deleted"):
        ecs.find_environment("ecs:demo")


def test_a_cluster_elsewhere_is_refused_before_anything_is_asked(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """A cluster of another region is refused before any call, since this region may have one of the same name."""
    with pytest.raises(InputError, match="wrong region"):
        ecs.find_environment("arn:aws:ecs:eu-west-1:111222333444:cluster/demo")
    assert aws.asked == []


def test_all_clusters_are_listed(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """Clusters are listed from all pages, sorted by name."""
    aws.answer(
        "ListClusters",
        {"clusterArns": [ADDRESS.cluster("web")], "nextToken": "more"},
        {"clusterArns": [CLUSTER]},
    )
    assert [each.name for each in ecs.list_environments()] == ["ecs:demo", "ecs:web"]
    assert aws.asked_for("ListClusters")[1] == {"maxResults": 100, "nextToken": "more"}


def test_where_it_is_is_account_and_region(ecs: BotoEcs) -> None:
    """The address is the account and region, the same for all clusters in them."""
    assert ecs.address() == "arn:aws:ecs:us-east-1:111222333444"
    assert (ecs.dialect(), ecs.version()) == (Dialect.ECS, "")
    assert ecs.request("create_deploy") == "ECS: RegisterTaskDefinition"


@pytest.mark.parametrize(
    "refusal", [ConnectTimeoutError(endpoint_url="https://sts"), Refused("AccessDenied", "by a policy", 403)]
)
@pytest.mark.parametrize("answer", [{"clusters": [{"clusterArn": CLUSTER}]}, missing(CLUSTER)])
def test_ecs_tells_the_account_where_there_is_no_way_to_sts(
    aws: ScriptedAws, ecs: BotoEcs, answer: dict[str, object], refusal: Exception | Refused
) -> None:
    """If STS cannot be reached, or a network's policy refuses it, the account comes from a cluster's ARN in ECS's answer, even if the cluster does not exist."""
    aws.answer("GetCallerIdentity", refusal)
    aws.answer("DescribeClusters", answer)
    assert ecs.address() == str(ADDRESS)


@pytest.mark.parametrize(
    ("region", "partition"),
    [("us-east-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("xx-new-1", "aws")],
)
def test_ids_are_of_the_regions_partition(aws: ScriptedAws, region: str, partition: str) -> None:
    """ARNs have the partition of their region, as in China and GovCloud, and ids in that form are accepted."""
    ecs = aws.ecs(region)
    address = f"arn:{partition}:ecs:{region}:{ADDRESS.account}"
    assert ecs.address() == address
    aws.answer("ListClusters", {"clusterArns": [f"{address}:cluster/demo"]})
    aws.answer("ListServices", {"serviceArns": [f"{address}:service/old", f"{address}:service/demo/new"]})
    listed = [each.entity_id for each in ecs.list_services()]
    assert listed == [f"{address}:service/demo/new", f"{address}:service/demo/old"]
    aws.answer("DescribeServices", {"services": [], "failures": [{"arn": listed[1], "reason": "MISSING"}]})
    with pytest.raises(EntityNotFound, match="service 'old' does not exist in cluster 'demo'"):
        ecs.read_service(listed[1])
