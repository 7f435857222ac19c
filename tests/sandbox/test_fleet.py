"""Fleets of deploys on the sandbox: a bad image gets no further than the canary, and what is left is what a resume runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ecr_widgets.sandbox import Sandbox
from tests import ours
from tests.sandbox.cells import run_cells
from tests.sandbox.conftest import give_up, journal, records, succeeded

COUNT = 60
IMAGE = {"repository": "fleet/app", "local_name": "fleet/app"}


def fleet(environ: dict[str, str], folder: Path, *words: str, code: int = 0) -> dict[str, Any]:
    done = ours.call(*words, "--json", "--runs", folder / "runs", environ=environ, cwd=folder)
    assert done.returncode == code, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def push(environ: dict[str, str], folder: Path, tag: str, command: str) -> None:
    (folder / "Dockerfile").write_text(f"FROM busybox\nLABEL of={tag}\nCMD {command}\n")
    given = {**IMAGE, "tag": tag, "context": str(folder), "dockerfile": "Dockerfile"}
    succeeded(run_cells("push", environ, folder, **given))


def targets(folder: Path, count: int) -> str:
    lines = [f"fleet-{number},fleet-{number}" for number in range(count)]
    path = folder / "targets.csv"
    path.write_text("\n".join(["service,deploy", *lines]))
    return str(path)


def test_a_bad_image_gets_no_further_than_the_canary(
    sandbox: Sandbox, sandbox_environ: dict[str, str], tmp_path: Path
) -> None:
    """Of sixty services one was tried; the saved notebook says why in 40 kB, and names the run to look at."""
    push(sandbox_environ, tmp_path, "bad", '["sh", "-c", "exit 3"]')
    before = journal(sandbox)
    told = fleet(
        sandbox_environ,
        tmp_path,
        "fleet", "deploy", "--targets", targets(tmp_path, COUNT), "--waves", "1,5,20%",
        "-p", "repository", "fleet/app", "-p", "reference", "bad", "-p", "wait_timeout_s", "120",
        code=1,
    )  # fmt: skip
    posted = [entry["path"] for entry in journal(sandbox)[len(before) :] if entry.get("method") == "POST"]
    assert sorted(posted) == ["/deploy", "/service/"]
    error = records(told)["run_wave"]["error"]
    assert "wave 1 of 7 stopped the fleet: 1 target failed so far, more than 0" in error["message"]
    assert error["reasons"][0].startswith("fleet-0 failed: DeploymentFailed: ")
    assert Path(told["notebook"]).stat().st_size <= 40_000
    run_id = error["reasons"][0].rpartition("(run ")[2].rstrip(")")
    (canary,) = (tmp_path / "runs").glob(f"{run_id}-deploy@*.ipynb")
    assert json.loads(canary.read_text())["metadata"]["ecr_widgets"]["state"] == "failed"
    give_up(sandbox_environ, "fleet-0")


def test_services_are_asked_for_and_checked_in_waves(
    sandbox: Sandbox, sandbox_environ: dict[str, str], tmp_path: Path
) -> None:
    """By name, of Layer0 and of ECS; one that runs another image fails, the others are not asked again by a resume."""
    push(sandbox_environ, tmp_path, "good", '["sleep", "600"]')
    for environment in ("demo", "ecs:demo"):
        for number in range(2):
            given = {"repository": "fleet/app", "reference": "good", "environment": environment}
            name = f"asked-{number}"
            succeeded(run_cells("deploy", sandbox_environ, tmp_path, **given, service=name, deploy=name))
        told = fleet(
            sandbox_environ,
            tmp_path,
            "fleet", "check_health", "--targets", f"{environment}/asked-*",
            "-p", "repository", "fleet/app", "-p", "reference", "good",
        )  # fmt: skip
        result = records(told)
        assert result["plan_fleet"]["outcome"]["waves"] == ["1 target: asked-0", "1 target: asked-1"]
        assert result["fleet_result"]["outcome"]["succeeded"] == 2


def test_what_no_runbook_could_know_is_refused(sandbox_environ: dict[str, str], tmp_path: Path) -> None:
    """A runbook without a service has no services as targets, and an environment has to exist."""
    for targets_, why in (("demo/*", "no parameter 'environment'"), ("none/*", "does not exist")):
        book = "push" if targets_ == "demo/*" else "check_health"
        told = fleet(
            sandbox_environ, tmp_path, "fleet", book, "--targets", targets_, code=2 if book == "push" else 1
        )
        assert why in told["reason"]
