"""A Layer0 service of the sandbox as the ECS service that it is, on real containers."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests import ours
from tests.sandbox.conftest import Cells, succeeded


def aws(service: str, environ: dict[str, str]) -> Any:
    """A client of the sandbox's AWS."""
    return boto3.client(
        service,
        endpoint_url=environ["AWS_ENDPOINT_URL"],
        region_name=environ["AWS_REGION"],
        aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
    )


@pytest.fixture
def ecs(sandbox_environ: dict[str, str]) -> Any:
    return aws("ecs", sandbox_environ)


def layer0(environ: dict[str, str], *words: str) -> Any:
    """What a command says of Layer0, as JSON."""
    done = ours.call(*words, "--json", environ=environ, cwd=Path.cwd())
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_layer0_service_is_an_ecs_service(cells: Cells, ecs: Any, sandbox_environ: dict[str, str]) -> None:
    """By Layer0's names for it, with the digest of what runs; what ECS is asked to change, Layer0 shows."""
    ended = succeeded(cells(repository="on-ecs/seen", deploy="seen", service="seen", local_name="test/seen"))
    deployed, pushed = (ended[step].outcome for step in ("create_service", "push_image"))
    cluster, name = f"l0-local-{deployed['environment_id']}", f"l0-local-{deployed['service_id']}"
    (service,) = ecs.describe_services(cluster=cluster, services=[name])["services"]
    assert (service["status"], service["desiredCount"], service["runningCount"]) == ("ACTIVE", 1, 1)
    assert service["taskDefinition"].endswith("task-definition/l0-local-seen:1")
    assert service["placementStrategy"] == [{"type": "binpack", "field": "memory"}]
    definition = ecs.describe_task_definition(taskDefinition="l0-local-seen:1")["taskDefinition"]
    (container,) = definition["containerDefinitions"]
    assert container["logConfiguration"]["options"]["awslogs-group"] == "l0-local"
    tasks = ecs.list_tasks(cluster=cluster, serviceName=name)["taskArns"]
    (task,) = ecs.describe_tasks(cluster=cluster, tasks=tasks)["tasks"]
    assert [each["imageDigest"] for each in task["containers"]] == [pushed["digest"]]

    container["environment"] = [{"name": "SLEEP_TIME", "value": "1000"}]
    ecs.register_task_definition(family="l0-local-seen", containerDefinitions=[container])
    ecs.update_service(cluster=cluster, service=name, taskDefinition="l0-local-seen:2", desiredCount=2)
    ecs.get_waiter("services_stable").wait(
        cluster=cluster, services=[name], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    shown = layer0(sandbox_environ, "service", "show", "demo", "seen")
    (deployment,) = shown["deployments"]
    assert (deployment["deploy_id"], shown["running_count"]) == ("seen.2", 2)
    stored = layer0(sandbox_environ, "deploys", "show", "seen.2")
    assert b'"Value":"1000"' in base64.b64decode(stored["dockerrun"])
    # Names are Layer0's tags, which ECS does not set.
    assert stored["name"] == ""


def test_layer0s_own_jobs_are_no_tasks_of_ecs(
    cells: Cells, sandbox_environ: dict[str, str], ecs: Any
) -> None:
    """Nothing is run for them in the sandbox; after one, logs of ECS are read as before."""
    succeeded(
        cells(repository="on-ecs/job", deploy="job-seen", service="job-seen", local_name="test/job-seen")
    )
    layer0(sandbox_environ, *("task", "run", "demo", "once", "job-seen", "--env", "timeout:SLEEP_TIME=0"))
    assert ecs.list_tasks(cluster="l0-local-api")["taskArns"] == []
    streams = aws("logs", sandbox_environ).describe_log_streams(logGroupName="/ecs/demo")["logStreams"]
    assert isinstance(streams, list)


def test_what_layer0_has_not_is_refused(cells: Cells, ecs: Any) -> None:
    """No other service in a cluster of Layer0's, and no settings for one that it has; nothing is changed."""
    ended = succeeded(cells(repository="on-ecs/kept", deploy="kept", service="kept", local_name="test/kept"))
    deployed = ended["create_service"].outcome
    cluster, name = f"l0-local-{deployed['environment_id']}", f"l0-local-{deployed['service_id']}"
    with pytest.raises(ecs.exceptions.UnsupportedFeatureException, match="CreateService"):
        ecs.create_service(cluster=cluster, serviceName="x", taskDefinition="l0-local-kept", desiredCount=1)
    with pytest.raises(ecs.exceptions.UnsupportedFeatureException, match="enableExecuteCommand"):
        ecs.update_service(cluster=cluster, service=name, enableExecuteCommand=True)
    (service,) = ecs.describe_services(cluster=cluster, services=[name])["services"]
    assert len(service["deployments"]) == 1
