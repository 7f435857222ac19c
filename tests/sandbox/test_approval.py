"""Two persons: a guarded run stops at its plan, and goes on with another person's yes while the plan still fits."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.sandbox import Sandbox
from tests.sandbox.conftest import BIN, SHIPPED, journal, records
from tests.sandbox.test_runbooks import run_book

IMAGE = {"repository": "yes/app", "local_name": "yes/app"}
WAITS, REFUSED = 7, 2


@pytest.fixture
def alice(sandbox_environ: dict[str, str]) -> dict[str, str]:
    """The environment of somebody who may not change `demo` alone; the image stands."""
    return {**sandbox_environ, "SUDO_USER": "alice", "ECR_WIDGETS_APPROVAL": "prod, demo"}


def approve(
    environ: dict[str, str], folder: Path, run_id: str, who: str, *, code: int = 0
) -> tuple[dict[str, Any], str]:
    done = subprocess.run(
        [BIN / "ecr-widgets", "approve", run_id, "--json", "--runs", folder / "runs"],
        env={**environ, "SUDO_USER": who},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return (json.loads(done.stdout) if done.stdout else {}), done.stderr


def plan_of(environ: dict[str, str], folder: Path, service: str) -> dict[str, Any]:
    pushed = run_book("push", environ, folder, **IMAGE)
    assert pushed["state"] == "succeeded", pushed["reason"]
    return run_book("deploy", environ, folder, **IMAGE, deploy=service, service=service)


def test_a_guarded_run_needs_a_second_person(alice: dict[str, str], sandbox: Sandbox, tmp_path: Path) -> None:
    """Not the one who asked, and once; the record of the run that went on has both names."""
    plan = plan_of(alice, tmp_path, "approved")
    before = journal(sandbox)
    assert (plan["state"], ".plan.ipynb" in plan["notebook"]) == ("succeeded", True)
    by_id = records(plan)["update_service"]["outcome"]["environment_id"]
    named_by_id = run_book(
        "deploy", alice, tmp_path, **IMAGE, deploy="approved", service="approved", environment=by_id
    )
    assert ".plan.ipynb" in named_by_id["notebook"]
    _, refused = approve(alice, tmp_path, plan["run_id"], "alice", code=REFUSED)
    assert "cannot approve it" in refused
    assert journal(sandbox) == before
    done, _ = approve(alice, tmp_path, plan["run_id"], "bob")
    assert done["state"] == "succeeded", done["reason"]
    assert records(done)["verify"]["state"] == "succeeded"
    told = json.loads(Path(done["notebook"]).read_text())["metadata"]["ecr_widgets"]
    assert "plan" not in told
    assert told["approval"]["plan"] == plan["run_id"]
    assert told["approval"]["asked_by"] == "environment demo"
    assert (told["approval"]["requested_by"], told["approval"]["approved_by"]) == (
        "alice (as root)",
        "bob (as root)",
    )
    _, again = approve(alice, tmp_path, plan["run_id"], "bob", code=REFUSED)
    assert "no longer fits" in again or "approved already" in again


def test_a_plan_that_no_longer_fits_is_refused(
    alice: dict[str, str], sandbox: Sandbox, tmp_path: Path
) -> None:
    """Somebody deployed meanwhile: nothing is changed, and the first step that differs is named."""
    plan = plan_of(alice, tmp_path, "overtaken")
    free = {name: value for name, value in alice.items() if name != "ECR_WIDGETS_APPROVAL"}
    done = run_book("deploy", free, tmp_path, **IMAGE, deploy="overtaken", service="overtaken")
    assert done["state"] == "succeeded", done["reason"]
    before = journal(sandbox)
    _, refused = approve(alice, tmp_path, plan["run_id"], "bob", code=REFUSED)
    assert "no longer fits what stands: step check_target" in refused
    assert journal(sandbox) == before


def test_a_plan_that_was_edited_is_refused(alice: dict[str, str], sandbox: Sandbox, tmp_path: Path) -> None:
    """Whoever approves sees what was planned, not what somebody made of it and of its seal since."""
    plan = plan_of(alice, tmp_path, "edited")
    path = Path(plan["notebook"])
    path.write_text(path.read_text().replace('"service": "edited"', '"service": "other"'))
    before = journal(sandbox)
    _, refused = approve(alice, tmp_path, plan["run_id"], "bob", code=REFUSED)
    assert "was changed since it was made" in refused
    chain = path.with_name("seals.jsonl")
    changed = hashlib.sha256(path.read_bytes()).hexdigest()
    chain.write_text(re.sub('"file_sha256":"[0-9a-f]+"', f'"file_sha256":"{changed}"', chain.read_text()))
    _, refused = approve(alice, tmp_path, plan["run_id"], "bob", code=REFUSED)
    assert "its signature is wrong" in refused
    assert journal(sandbox) == before


def test_a_plan_goes_on_with_its_own_content_only(
    alice: dict[str, str], sandbox: Sandbox, tmp_path: Path
) -> None:
    """A Dockerrun or a Dockerfile that was edited between plan and approval is refused, the first of its name too."""
    shutil.copytree(SHIPPED / "wait", tmp_path / "wait")
    deploy = plan_of(alice, tmp_path, "content")
    release = run_book(
        "release", alice, tmp_path, repository="yes/fresh", deploy="content", service="content"
    )
    assert (deploy["state"], release["state"]) == ("succeeded", "succeeded")
    before = journal(sandbox)
    dockerrun, dockerfile = (
        tmp_path / "wait" / name for name in ("timeout.dockerrun.aws.json", "Dockerfile.wait")
    )
    other = json.loads(dockerrun.read_text())
    other["containerDefinitions"][0]["memory"] += 1
    kept = dockerrun.read_text()
    dockerrun.write_text(json.dumps(other))
    _, refused = approve(alice, tmp_path, deploy["run_id"], "bob", code=REFUSED)
    assert "no longer fits what stands: step create_deploy" in refused
    dockerrun.write_text(kept)
    dockerfile.write_text(dockerfile.read_text() + "LABEL edited=yes\n")
    _, refused = approve(alice, tmp_path, release["run_id"], "bob", code=REFUSED)
    assert "no longer fits what stands: step build_image" in refused
    assert journal(sandbox) == before


def test_what_waits_for_nobody_cannot_be_approved(alice: dict[str, str], tmp_path: Path) -> None:
    """A plain plan, a run and an unknown id."""
    done = run_book("login", alice, tmp_path)
    for run_id in (done["run_id"], "20260101T000000Z-000000"):
        approve(alice, tmp_path, run_id, "bob", code=REFUSED)
