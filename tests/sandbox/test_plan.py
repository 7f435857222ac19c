"""`run --plan`: says what would change, and changes nothing anywhere."""

from __future__ import annotations

import json
from pathlib import Path

import docker
import pytest

from ecr_widgets.audit.judging import judge
from ecr_widgets.model.record import StepState
from ecr_widgets.runbooks import list_runbooks
from ecr_widgets.sandbox import Sandbox
from tests.reading import read_file
from tests.sandbox.cells import run_cells
from tests.sandbox.conftest import SHIPPED, Cells, Run, journal, succeeded
from tests.sandbox.test_runbooks import declared, run_book

GIVEN = {"repository": "plans/app", "deploy": "plans", "service": "plans", "local_name": "plans/app"}
NEEDS_NOTHING = {"create_repository", "login", "push", "release"}
"""Runbooks whose plan succeeds on an empty account."""


def images(environ: dict[str, str]) -> set[str]:
    client = docker.from_env(environment=environ)
    try:
        return {tag for image in client.images.list() for tag in image.tags}
    finally:
        client.close()


def test_a_plan_from_nothing_and_one_of_what_stands(
    run: Run, cells: Cells, sandbox: Sandbox, sandbox_environ: dict[str, str], tmp_path: Path
) -> None:
    """First everything would be made; after the release only the build is open; nothing is changed by either plan."""
    before, local = journal(sandbox), images(sandbox_environ)
    plan = run(**GIVEN, options=["--plan"])
    assert plan["state"] == "succeeded", plan["reason"]
    would = {step["step"] for step in plan["steps"] if step["changed"]}
    assert would == {"create_repository", "build_image", "push_image", "create_deploy", "create_service"}
    assert {step["state"] for step in plan["steps"]} == {"succeeded", "intended"}
    assert (journal(sandbox), images(sandbox_environ)) == (before, local)
    saved = json.loads(Path(plan["notebook"]).read_text())
    assert saved["metadata"]["ecr_widgets"]["plan"] is True
    judged = judge(read_file(Path(plan["notebook"])))
    assert (judged.verdict, "push_image" in judged.why) == ("plan", True)
    succeeded(cells(**GIVEN))
    other = json.loads((SHIPPED / "wait" / "timeout.dockerrun.aws.json").read_text())
    other["containerDefinitions"][0]["memory"] = 12
    (tmp_path / "other.json").write_text(json.dumps(other))
    before = journal(sandbox)
    found = {each.step: each for each in cells(planning=True, **GIVEN, dockerrun="other.json")}
    assert found["create_repository"].changed is False
    assert found["push_image"].outcome["replaces"].startswith("sha256:")
    assert any(
        "/containerDefinitions/0/memory: 10 → 12" in line
        for line in found["create_deploy"].outcome["difference"]
    )
    assert found["update_service"].outcome["previous_deploy_id"] == "plans.1"
    assert journal(sandbox) == before


@pytest.mark.parametrize("name", sorted({book.name for book in list_runbooks()} - {"audit"}))
def test_every_runbook_can_be_planned(
    name: str, sandbox: Sandbox, sandbox_environ: dict[str, str], tmp_path: Path
) -> None:
    """What it needs may be missing, and then it says so; in no case is anything changed."""
    before, local = journal(sandbox), images(sandbox_environ)
    ended = run_cells(name, sandbox_environ, tmp_path, planning=True, **declared(name, {}))
    why = str((ended[-1].error or {}).get("message", ""))
    if name not in NEEDS_NOTHING:
        missing = ("does not exist", "is not in")
        assert not why or any(text in why for text in missing)
    else:
        assert not why
    assert {each.state for each in ended} <= {StepState.SUCCEEDED, StepState.INTENDED, StepState.FAILED}
    assert (journal(sandbox), images(sandbox_environ)) == (before, local)


def test_an_audit_can_be_planned(sandbox_environ: dict[str, str], tmp_path: Path) -> None:
    """What it audits are saved runs, so that it is planned as a run: the first one of its folder."""
    assert run_book("audit", sandbox_environ, tmp_path, ["--plan"])["state"] == "succeeded"


def test_a_push_of_a_new_tag_can_be_planned(cells: Cells, sandbox: Sandbox) -> None:
    """Its closing look finds what the plan itself would push, in a repository that stands too."""
    given = {"repository": "plans/tags", "local_name": "plans/tags"}
    succeeded(cells("push", **given, tag="old"))
    before = journal(sandbox)
    last = cells("push", planning=True, **given, tag="brandnew")[-1]
    assert (last.step, last.error, last.outcome["planned"]) == ("find_image", None, True)
    assert journal(sandbox) == before


def test_a_plan_of_bad_input_fails_as_the_run_would(cells: Cells) -> None:
    """In the same step, with the same error."""
    last = cells(planning=True, **GIVEN, dockerfile="Dockerfile.none")[-1]
    assert (last.step, last.state) == ("check_target", StepState.FAILED)
    assert last.error
    assert "no Dockerfile 'Dockerfile.none'" in last.error["message"]
