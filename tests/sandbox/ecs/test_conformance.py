"""Public deploy tools on the sandbox, unchanged: fabfuel's ecs-deploy and Caltech's deployfish, as their pages show them.

deployfish needs two dozen packages that nothing here needs, so it gets an environment of its own, which adds them to ours.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.sandbox.conftest import BIN
from tests.sandbox.ecs.real import Aws

_DEPLOYFISH = "deployfish==1.18.1"
_FISH = """
services:
  - {{name: "{name}", cluster: demo, environment: test, family: "{name}", count: 1, network_mode: bridge, containers: [
      {{name: app, image: "busybox:latest", memory: 32, cpu: 10, command: "sleep {seconds}"}}]}}
"""
needs_ecs_deploy = pytest.mark.skipif(
    not (BIN / "ecs").exists(), reason="the extra `conformance` is not installed"
)


def ecs_deploy(aws: Aws, *words: str) -> subprocess.CompletedProcess[str]:
    """Call it, and keep what it says."""
    return subprocess.run(
        [BIN / "ecs", *words], env=aws.environ, capture_output=True, text=True, timeout=120, check=False
    )


@needs_ecs_deploy
def test_it_deploys_and_scales_a_service(aws: Aws) -> None:
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


@needs_ecs_deploy
def test_it_sees_that_a_deployment_fails_and_goes_back(aws: Aws) -> None:
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


@needs_ecs_deploy
def test_it_runs_a_task_and_compares_revisions(aws: Aws) -> None:
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


@pytest.fixture(scope="module")
def deployfish(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command, installed from the package index; skips where there is none."""
    folder = tmp_path_factory.mktemp("deployfish")
    venv.create(folder)
    # Half of its dependencies are installed in this environment, so use them.
    (site,) = folder.glob("lib/*/site-packages")
    (site / "ours.pth").write_text(sysconfig.get_path("purelib"))
    python = folder / "bin" / "python"
    installed = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile"),
            *("--no-warn-conflicts", _DEPLOYFISH),  # among all packages of this environment
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if installed.returncode:
        pytest.skip(f"{_DEPLOYFISH} cannot be installed: {installed.stderr.strip().rpartition(chr(10))[2]}")
    return folder / "bin" / "deploy"


def test_deployfish_creates_moves_scales_and_looks(deployfish: Path, aws: Aws, tmp_path: Path) -> None:
    """It waits until the service is stable by itself, and finds the tasks on their instance."""

    def called(*words: str, seconds: int = 1000) -> str:
        (tmp_path / "deployfish.yml").write_text(_FISH.format(name=aws.family, seconds=seconds))
        done = subprocess.run(
            [deployfish, *words, aws.family],
            cwd=tmp_path,
            env=aws.environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    aws.services.append(aws.family)
    assert "Service is stable!" in called("create")
    assert "Service is stable!" in called("update", seconds=2000)
    assert aws.completed()["taskDefinition"].rpartition("/")[2] == f"{aws.family}:2"
    instance = aws.client("ec2").describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"]
    (arn,) = aws.ecs.list_container_instances(cluster="demo")["containerInstanceArns"]
    shown = aws.ecs.describe_container_instances(cluster="demo", containerInstances=[arn])[
        "containerInstances"
    ]
    assert shown[0]["ec2InstanceId"] == instance
    assert aws.family in called("running-tasks")
