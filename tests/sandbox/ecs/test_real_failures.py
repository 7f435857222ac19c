"""Deploys that cannot run, on real containers: the run ends by itself with the reason, long before its wait would."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.engine.run import run_runbook
from tests.notebooks.engine_runs import write_runbook
from tests.sandbox.conftest import records
from tests.sandbox.ecs.real import LOGS, SHELL, Aws

RUNBOOK = """
from ecr_widgets import connect
kit = connect()
moved = kit.deploy_service("ecs:demo", {name!r}, "{name}:2")
kit.wait(moved, timeout_s=600)
"""


@dataclass(frozen=True)
class Failure:
    """A deploy that cannot run, and what says so."""

    name: str
    container: dict[str, Any]
    says: str
    log: tuple[str, ...] = ()


FAILURES = (
    Failure(
        "crash",
        {"command": [*SHELL, "echo cannot open config; exit 3"], "logConfiguration": LOGS},
        "Essential container in task exited (EssentialContainerExited): app ended with code 3",
        ("app: cannot open config",),
    ),
    Failure("missing-image", {"image": "127.0.0.1:1/nobody/nothing:1"}, "CannotPullContainerError: "),
    Failure("no-room", {"memory": 1 << 30}, "needs 1073741824 MiB of memory, and no container instance has"),
)


@pytest.mark.parametrize("failure", FAILURES, ids=lambda each: each.name)
def test_the_run_ends_with_the_reason(failure: Failure, aws: Aws, tmp_path: Path) -> None:
    """The wait fails, which is no time-out, and its record has the reason; the copy that ran before still runs."""
    name = aws.create({"stopTimeout": 0})
    aws.completed()
    (before,) = aws.ecs.list_tasks(cluster="demo", serviceName=name)["taskArns"]
    aws.define(failure.container)
    book = write_runbook(tmp_path, [RUNBOOK.format(name=name)])
    done = run_runbook(book, {}, runs=tmp_path / "runs", environ=aws.environ)
    assert done.state == "failed"
    wait = records({"notebook": done.notebook})["wait"]
    assert (wait["state"], wait["error"]["type"]) == ("failed", "DeploymentFailed")
    assert failure.says in wait["error"]["message"]
    assert any(failure.says in each for each in wait["error"]["reasons"])
    assert set(failure.log) <= set(wait["error"].get("log", ()))
    assert aws.task(before)["lastStatus"] == "RUNNING"
