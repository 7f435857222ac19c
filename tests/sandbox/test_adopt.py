"""A Layer0 service is adopted on ECS: in place, and beside it, on real containers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.model.record import StepState
from ecr_widgets.sandbox import Sandbox
from tests import ours
from tests.sandbox.conftest import Cells, Run, journal, records, succeeded
from tests.sandbox.test_targets import held, resume_newest


@pytest.fixture
def adopt(sandbox_environ: dict[str, str], tmp_path: Path) -> Run:
    """`ecr-widgets run RUNBOOK --json` with parameters, of a runbook `adopt` where none is named; what it prints."""

    def call(*options: str, runbook: str = "adopt", **given: str) -> dict[str, Any]:
        words = [word for pair in given.items() for word in ("-p", *pair)]
        done = ours.call(
            *("run", runbook, "--json", "--runs", tmp_path / "runs", *options, *words),
            environ=sandbox_environ,
            cwd=tmp_path,
        )
        assert done.stdout, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    return call


def shown(environ: dict[str, str], *words: str | Path) -> Any:
    """What a command prints as JSON."""
    done = ours.call(*words, "--json", environ=environ, cwd=Path.cwd())
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def release_of(name: str) -> dict[str, str]:
    """The parameters of a release of that name."""
    return {"repository": f"adopt/{name}", "deploy": name, "service": name, "local_name": f"test/{name}"}


def changed(told: dict[str, Any]) -> dict[str, bool]:
    return {each["step"]: each["changed"] for each in told["steps"]}


def test_in_place_nothing_moves_and_runbooks_go_on_by_the_new_name(
    run: Run, adopt: Run, cells: Cells, sandbox: Sandbox, sandbox_environ: dict[str, str], tmp_path: Path
) -> None:
    """Then what one of both is asked for the other shows, and the way back leads to what was verified on Layer0."""
    given = release_of("stays")
    # A run, since its saved file is what the rollback finds.
    assert run(**given)["state"] == "succeeded"
    before = len(journal(sandbox))
    assert StepState.FAILED not in {each.state for each in cells("adopt", planning=True, service="stays")}
    told = adopt(service="stays")
    assert told["state"] == "succeeded", told
    assert len(journal(sandbox)) == before
    assert not any(did for step, did in changed(told).items() if step != "adopt")
    adopted = records(told)["adopt"]["outcome"]
    assert (adopted["same_deploy_id"], adopted["questions"]) == ("l0-local-stays:1", [])
    here = {"environment": adopted["to_environment"], "service": adopted["to_service"]}

    file = tmp_path / adopted["task_definition"]
    document = json.loads(file.read_text())
    document["containerDefinitions"][0]["environment"] = [{"name": "SLEEP_TIME", "value": "1000"}]
    (tmp_path / "next.json").write_text(json.dumps(document))
    image = {"repository": given["repository"], "reference": "custom-tag-1"}
    moved = adopt(
        runbook="deploy",
        **here,
        **image,
        deploy=adopted["to_deploy"],
        dockerrun="next.json",
        container="timeout",
    )
    assert (moved["state"], changed(moved)["update_service"]) == ("succeeded", True), moved
    succeeded(cells("scale", **here, count="2"))
    layer0 = shown(sandbox_environ, "service", "show", "demo", "stays")
    assert (layer0["deployments"][0]["deploy_id"], layer0["running_count"]) == ("stays.2", 2)

    refused = cells("adopt", service="stays")[-1].error
    assert refused
    assert "runs l0-local-stays:2, which is not what" in refused["message"]
    back = adopt(runbook="rollback", **here)
    assert records(back)["rollback"]["outcome"]["deploy_id"] == "l0-local-stays:1", back
    runs = ("--runs", tmp_path / "runs")
    history = [
        [each["run_id"] for each in shown(sandbox_environ, "audit", "list", "--service", name, *runs)]
        for name in ("demo/stays", f"{here['environment']}/{here['service']}")
    ]
    assert history[0] == history[1]
    assert {each["run_id"] for each in (told, moved, back)} <= set(history[0])


@pytest.mark.parametrize("place", ["adopt.acted", "create_deploy.acted", "verify.begun"])
def test_a_walk_that_is_killed_is_resumed_and_makes_one_of_each(
    cells: Cells, sandbox: Sandbox, sandbox_environ: dict[str, str], tmp_path: Path, place: str
) -> None:
    """Wherever it was; by the server's journal. The Layer0 service runs as before. After `create_service` row 104 kills it."""
    name = place.replace(".", "-")
    succeeded(cells(**release_of(name)))
    layer0 = shown(sandbox_environ, "service", "show", "demo", name)
    before = len(journal(sandbox))
    words = [*("-p", "service", name), *("-p", "cluster", "ecs:demo"), *("-p", "answered", "true")]
    with held(sandbox_environ, tmp_path, place, "adopt", *words) as first:
        first.kill()
    done = resume_newest(sandbox_environ, tmp_path)
    told = json.loads(done.stdout)
    assert told["state"] == "succeeded", done.stdout
    since = [each["operation"] for each in journal(sandbox)[before:] if each["server"] == "ecs"]
    assert sorted(since) == ["CreateService", "RegisterTaskDefinition"]
    assert not [each for each in journal(sandbox)[before:] if each["server"] == "layer0"]
    service = shown(sandbox_environ, "service", "show", "ecs:demo", name)
    assert (service["running_count"], service["deployments"][0]["deploy_id"]) == (1, f"{name}:1")
    assert shown(sandbox_environ, "service", "show", "demo", name) == layer0


def test_a_walk_ends_when_the_old_service_is_deleted(
    adopt: Run, cells: Cells, sandbox_environ: dict[str, str]
) -> None:
    """Open questions stop it before anything is created; each later step can be taken back, and the last one leaves the new
    service.
    """
    succeeded(cells(**release_of("walks")))
    shown(sandbox_environ, "service", "scale", "demo", "walks", "2")
    given = {"service": "walks", "cluster": "ecs:demo"}
    assert StepState.FAILED not in {each.state for each in cells("adopt", planning=True, **given)}
    asked = cells("adopt", **given)[-1].error
    assert asked
    assert "open questions about 'walks'" in asked["message"]
    told = adopt(**given, answered="true")
    assert (told["state"], changed(told)["scale_service"]) == ("succeeded", True), told
    assert shown(sandbox_environ, "service", "show", "ecs:demo", "walks")["running_count"] == 2
    again = succeeded(cells("adopt", **given, answered="true"))
    assert not any(each.changed for each in again.values())
    for count in ("0", "2", "0"):
        succeeded(cells("scale", service="walks", count=count))
    shown(sandbox_environ, "service", "delete", "demo", "walks")
    new = shown(sandbox_environ, "service", "show", "ecs:demo", "walks")
    assert (new["running_count"], new["deployments"][0]["deploy_id"]) == (2, "walks:1")
