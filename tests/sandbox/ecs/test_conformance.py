"""A public deploy tool on the sandbox, unchanged: fabfuel's ecs-deploy, as its page shows it."""

from __future__ import annotations

import subprocess

import pytest

from tests.sandbox.conftest import BIN
from tests.sandbox.ecs.test_real_engine import Aws, aws  # noqa: F401  # a fixture

pytestmark = pytest.mark.skipif(not (BIN / "ecs").exists(), reason="the extra `conformance` is not installed")


def ecs_deploy(aws: Aws, *words: str) -> subprocess.CompletedProcess[str]:  # noqa: F811
    """Call it, and keep what it says."""
    return subprocess.run(
        [BIN / "ecs", *words], env=aws.environ, capture_output=True, text=True, timeout=120, check=False
    )


def test_it_deploys_and_scales_a_service(aws: Aws) -> None:  # noqa: F811
    """A new revision with another variable runs, then two copies of it; the old revision is deregistered."""
    name = aws.create()
    aws.completed()
    done = ecs_deploy(aws, "deploy", "demo", name, "-e", "app", "A", "1", "--timeout", "60")
    assert (done.returncode, "Deployment successful" in done.stdout) == (0, True), done.stdout + done.stderr
    scaled = ecs_deploy(aws, "scale", "demo", name, "2", "--timeout", "60")
    assert (scaled.returncode, "Scaling successful" in scaled.stdout) == (0, True), (
        scaled.stdout + scaled.stderr
    )
    service = aws.service()
    assert (service["taskDefinition"].rpartition("/")[2], service["runningCount"]) == (f"{name}:2", 2)
    definition = aws.ecs.describe_task_definition(taskDefinition=f"{name}:1")["taskDefinition"]
    assert definition["status"] == "INACTIVE"


def test_it_sees_that_a_deployment_fails_and_goes_back(aws: Aws) -> None:  # noqa: F811
    """From the counts and the events, for an image that does not exist."""
    name = aws.create()
    aws.completed()
    failed = ecs_deploy(
        aws, "deploy", "demo", name, "-i", "app", "nowhere:1", "--timeout", "15", "--rollback"
    )
    assert failed.returncode == 1
    assert "unable to consistently start tasks successfully" in failed.stdout + failed.stderr
    assert "Rollback successful" in failed.stdout
    assert aws.completed()["taskDefinition"].rpartition("/")[2] == f"{name}:1"


def test_it_runs_a_task_and_compares_revisions(aws: Aws) -> None:  # noqa: F811
    """A one-off task is started, and the difference of two revisions is shown."""
    name = aws.create()
    done = ecs_deploy(aws, "run", "demo", name, "1")
    assert (done.returncode, "Successfully started 1 instances" in done.stdout) == (0, True), (
        done.stdout + done.stderr
    )
    aws.define({"memory": 48})
    compared = ecs_deploy(aws, "diff", name, "1", "2")
    assert "memory" in compared.stdout
    for arn in aws.ecs.list_tasks(cluster="demo", startedBy="ECS Deploy")["taskArns"]:
        aws.ecs.stop_task(cluster="demo", task=arn)
