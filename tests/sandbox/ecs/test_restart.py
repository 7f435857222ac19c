"""What an ECS knows outlives the server's process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.sandbox.ecs.served import Served, serve
from tests.sandbox.workloads.fake_containers import FakeContainers


def known(ecs: Served) -> list[dict[str, Any]]:
    """All that is described of a service, but its events' and counts' moment."""
    service = ecs.service()
    listed = ecs.ask("ListServiceDeployments", cluster="demo", service="web")["serviceDeployments"]
    revisions = [each["targetServiceRevisionArn"] for each in listed]
    return [
        {name: service[name] for name in ("serviceArn", "taskDefinition", "deployments", "createdAt")},
        *listed,
        ecs.ask("DescribeServiceRevisions", serviceRevisionArns=revisions),
        ecs.ask("DescribeTaskDefinition", taskDefinition="web", include=["TAGS"]),
        ecs.ask("DescribeClusters", clusters=["demo", "two"], include=["TAGS"]),
    ]


def test_a_new_server_on_the_same_folder_continues(tmp_path: Path) -> None:
    """Clusters, revisions, services and their deployments are the same; a container that died is replaced."""
    containers = FakeContainers()
    with serve(containers, folder=tmp_path) as ecs:
        ecs.ask("CreateCluster", clusterName="two")
        ecs.define(tags=[{"key": "a", "value": "b"}])
        ecs.ask("CreateService", cluster="demo", serviceName="web", taskDefinition="web", desiredCount=1)
        ecs.completed()
        before = known(ecs)
        (task,) = ecs.tasks()
    containers.stop(task["containers"][0]["runtimeId"], grace_s=0)
    with serve(containers, folder=tmp_path) as ecs:
        ecs.until(lambda: [each["taskArn"] for each in ecs.tasks() if each["taskArn"] != task["taskArn"]])
        ecs.until(lambda: ecs.service()["runningCount"] == 1)
        assert known(ecs) == before
        ecs.ask("DeregisterTaskDefinition", taskDefinition="web:1")
        assert ecs.define() == "web:2"


def test_a_deployment_under_way_is_completed_by_the_next_server(tmp_path: Path) -> None:
    """It keeps its id, and what it replaces goes."""
    containers = FakeContainers()
    with serve(containers, folder=tmp_path) as ecs:
        ecs.define()
        ecs.ask("CreateService", cluster="demo", serviceName="web", taskDefinition="web", desiredCount=1)
        ecs.completed()
        ecs.define()
        moving = ecs.ask("UpdateService", cluster="demo", service="web", taskDefinition="web")["service"]
    with serve(containers, folder=tmp_path) as ecs:
        done = ecs.completed()
        assert done["deployments"][0]["id"] == moving["deployments"][0]["id"]
        (listed, _) = ecs.ask("ListServiceDeployments", cluster="demo", service="web")["serviceDeployments"]
        assert listed["status"] == "SUCCESSFUL"


def test_a_token_of_run_task_counts_for_the_next_server(tmp_path: Path) -> None:
    """The same request starts nothing twice."""
    containers = FakeContainers()
    with serve(containers, folder=tmp_path) as ecs:
        ecs.define()
        given = {"cluster": "demo", "taskDefinition": "web", "clientToken": "one"}
        first = ecs.ask("RunTask", **given)["tasks"][0]["taskArn"]
        ecs.until(lambda: [each for each in ecs.tasks() if each["lastStatus"] == "RUNNING"])
    with serve(containers, folder=tmp_path) as ecs:
        assert ecs.ask("RunTask", **given)["tasks"][0]["taskArn"] == first


def test_what_was_made_in_other_services_is_there_again(tmp_path: Path) -> None:
    """With the same names, though moto makes up a part of them."""
    with serve(folder=tmp_path) as ecs:
        made = ecs.ask("CreateSecret", at="secretsmanager", Name=tmp_path.name, SecretString="s")["ARN"]
        ecs.ask("CreateLogGroup", at="logs", logGroupName=f"/{tmp_path.name}")
    forget()
    with serve(folder=tmp_path) as ecs:
        assert ecs.ask("GetSecretValue", at="secretsmanager", SecretId=made)["SecretString"] == "s"
        groups = ecs.ask("DescribeLogGroups", at="logs", logGroupNamePrefix=f"/{tmp_path.name}")
        assert len(groups["logGroups"]) == 1


def forget() -> None:
    """What the end of a process does to moto."""
    from moto.logs.models import logs_backends
    from moto.secretsmanager.models import secretsmanager_backends

    logs_backends.reset()
    secretsmanager_backends.reset()
