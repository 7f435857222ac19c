"""Clusters, their one instance, and tags."""

from __future__ import annotations

import pytest

from tests.sandbox.ecs.served import Refused, Served


def test_two_clusters_exist_from_the_start(ecs: Served) -> None:
    """`demo`, and the one that is meant where none is named."""
    assert [arn.rpartition("/")[2] for arn in ecs.ask("ListClusters")["clusterArns"]] == ["default", "demo"]
    assert ecs.ask("ListServices")["serviceArns"] == []


def test_a_deleted_cluster_is_described_as_inactive(ecs: Served) -> None:
    """Nothing can be done in it until it is created again."""
    made = ecs.ask("CreateCluster", clusterName="two", tags=[{"key": "a", "value": "b"}])["cluster"]
    assert ecs.ask("CreateCluster", clusterName="two")["cluster"]["clusterArn"] == made["clusterArn"]
    ecs.ask("DeleteCluster", cluster=made["clusterArn"])
    (shown,) = ecs.ask("DescribeClusters", clusters=["two"])["clusters"]
    assert shown["status"] == "INACTIVE"
    with pytest.raises(Refused, match=r"The referenced cluster was inactive\.") as refused:
        ecs.ask("ListTasks", cluster="two")
    assert refused.value.code == "ClusterNotFoundException"
    assert ecs.ask("CreateCluster", clusterName="two")["cluster"]["status"] == "ACTIVE"


def test_a_cluster_with_services_or_tasks_is_not_deleted(ecs: Served) -> None:
    """Each has an error of its own."""
    ecs.define()
    ecs.ask("RunTask", cluster="demo", taskDefinition="web")
    with pytest.raises(Refused) as refused:
        ecs.ask("DeleteCluster", cluster="demo")
    assert refused.value.code == "ClusterContainsTasksException"
    ecs.ask("CreateService", cluster="demo", serviceName="web", taskDefinition="web", desiredCount=0)
    with pytest.raises(Refused) as refused:
        ecs.ask("DeleteCluster", cluster="demo")
    assert refused.value.code == "ClusterContainsServicesException"


def test_an_unknown_cluster_is_a_failure_or_an_error(ecs: Served) -> None:
    """DescribeClusters answers 200, all else refuses."""
    assert ecs.ask("DescribeClusters", clusters=["none"])["failures"][0]["reason"] == "MISSING"
    with pytest.raises(Refused, match=r"Cluster not found\."):
        ecs.ask("DeleteCluster", cluster="none")


def test_the_one_instance_has_the_machine_s_size(ecs: Served) -> None:
    """In CPU units and MiB."""
    (arn,) = ecs.ask("ListContainerInstances", cluster="demo")["containerInstanceArns"]
    (shown,) = ecs.ask("DescribeContainerInstances", cluster="demo", containerInstances=[arn])[
        "containerInstances"
    ]
    assert {each["name"]: each["integerValue"] for each in shown["registeredResources"]} == {
        "CPU": 2048,
        "MEMORY": 4096,
    }


def test_tags_are_set_and_taken_away(ecs: Served) -> None:
    """Of services by their long ARN only."""
    ecs.define()
    arn = ecs.ask("CreateService", cluster="demo", serviceName="web", taskDefinition="web", desiredCount=0)[
        "service"
    ]["serviceArn"]
    ecs.ask("TagResource", resourceArn=arn, tags=[{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
    ecs.ask("UntagResource", resourceArn=arn, tagKeys=["a"])
    assert ecs.ask("ListTagsForResource", resourceArn=arn)["tags"] == [{"key": "b", "value": "2"}]
    with pytest.raises(Refused, match="Long arn format must be used"):
        ecs.ask("ListTagsForResource", resourceArn="arn:aws:ecs:us-east-1:111222333444:service/web")


def test_changes_are_in_the_journal_and_reads_are_not(ecs: Served) -> None:
    """With what they were about, also where they were refused."""
    ecs.define()
    ecs.ask("RunTask", cluster="demo", taskDefinition="web", clientToken="t", startedBy="me")
    ecs.tasks()
    with pytest.raises(Refused):
        ecs.ask("UpdateService", cluster="demo", service="web")
    assert [(each["server"], each["operation"], each["status"]) for each in ecs.journal] == [
        ("ecs", "RegisterTaskDefinition", 200),
        ("ecs", "RunTask", 200),
        ("ecs", "UpdateService", 400),
    ]
    assert ecs.journal[0]["task_definition"].endswith("task-definition/web:1")
    run = ecs.journal[1]
    assert (run["cluster"], run["clientToken"], run["startedBy"], len(run["task_arns"])) == (
        "demo",
        "t",
        "me",
        1,
    )
