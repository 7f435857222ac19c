"""The log of the copy that crashed, whatever healthy copies print, on both deploy targets."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from ecr_widgets import NotebookKit, connect
from ecr_widgets.errors import DeploymentFailed
from ecr_widgets.model.record import StepRecord
from tests.sandbox.conftest import give_up
from tests.sandbox.ecs.real import Aws

BUSY = "while true; do date -u '+%Y-%m-%dT%H:%M:%SZ GET / 200'; sleep 1; done"
BROKEN = "echo starting; echo ERROR database refused connection; sleep 1; exit 3"
COPIES = 3


@pytest.fixture
def kit(
    sandbox_environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[NotebookKit]:
    with mock.patch.dict(os.environ, sandbox_environ, clear=True):
        monkeypatch.chdir(tmp_path)
        yield connect()


@pytest.mark.parametrize("environment", ["demo", "ecs:demo"])
def test_a_crash_among_healthy_copies_shows_its_own_last_lines(kit: NotebookKit, environment: str) -> None:
    """In the error and the record of the wait and in the panel, and no line of a healthy copy."""
    name = "crash" if environment == "demo" else "crashecs"
    kit.create_repository("log/app")
    for tag, command in (("good", BUSY), ("bad", BROKEN)):
        Path("Dockerfile").write_text(f'FROM busybox\nCMD ["sh", "-c", "{command}"]\n')
        kit.push_image(kit.build_image(".", name=f"log/app:{tag}"), repository="log/app", tag=tag)
    options = {"awslogs-group": "/ecs/demo", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "web"}
    logs = {"logDriver": "awslogs", "options": options}
    web = {"name": "web", "image": "busybox", "essential": True, "memory": 16}
    if environment != "demo":
        web["logConfiguration"] = logs
    Path("Dockerrun.aws.json").write_text(
        json.dumps({"AWSEBDockerrunVersion": 2, "containerDefinitions": [web]})
    )

    def move(tag: str) -> None:
        found = kit.find_image("log/app", tag)
        stored = kit.create_deploy(name, "Dockerrun.aws.json", image=found.image, environment=environment)
        kit.wait(kit.deploy_service(environment, name, stored), timeout_s=120)

    move("good")
    kit.layer0.scale_service(environment, name, COPIES)
    with pytest.raises(DeploymentFailed) as failed:
        move("bad")
    assert failed.value.log[-1] == "web: ERROR database refused connection"
    assert not [line for line in failed.value.log if "GET" in line]
    wait = waited(kit)
    assert wait.error is not None
    assert wait.error["log"][-1] == "web: ERROR database refused connection"
    panel = kit.deploys(environment, name)
    next(panel.read())
    shown = next(
        part for part in panel.draw(kit.now()).parts if part.title.startswith("Last lines of copies")
    )
    assert shown.rows[-1][1].startswith("web: ERROR database refused connection")
    if environment == "demo":
        give_up(os.environ, name)
    else:
        Aws(dict(os.environ)).ecs.delete_service(cluster="demo", service=name, force=True)


def waited(kit: NotebookKit) -> StepRecord:
    """The record of the wait that failed."""
    return next(each for each in reversed(kit.recorder.records) if each.step == "wait")
