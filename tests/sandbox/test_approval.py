"""Two persons: a guarded run stops at its plan, and goes on with another person's yes while the plan still fits."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.sandbox import Sandbox
from tests import ours
from tests.audit.runs import forge
from tests.notebooks.engine_runs import write_runbook
from tests.people import Two, User
from tests.sandbox.cells import run_cells
from tests.sandbox.conftest import SHIPPED, journal, records, succeeded
from tests.sandbox.test_runbooks import run_book

IMAGE = {"repository": "yes/app", "local_name": "yes/app"}
WAITS, REFUSED = 7, 2


@pytest.fixture
def bob(two: Two, sandbox: Sandbox) -> User:
    """Who approves what root has planned: another user, who knows root's key and reaches the engine."""
    engine = Path(sandbox.env()["DOCKER_HOST"].removeprefix("unix://"))
    engine.parent.chmod(0o711)
    engine.chmod(0o666)
    runs = two.shared / "runs"
    runs.mkdir()
    runs.chmod(0o2775)
    return two.bob


@pytest.fixture
def guarded(sandbox_environ: dict[str, str]) -> dict[str, str]:
    """The environment of somebody who may not change `demo` alone."""
    return {**sandbox_environ, "ECR_WIDGETS_APPROVAL": "prod, demo"}


def approve(
    bob: User, environ: dict[str, str], folder: Path, run_id: str, *, code: int = 0
) -> tuple[dict[str, Any], str]:
    """As another user than who made the plan."""
    if not (bob.home / ".local").exists():
        exported = ours.call("audit", "key", "export", environ=os.environ, cwd=folder)
        assert exported.returncode == 0, exported.stderr
        bob.trusts_keys(exported.stdout, cwd=folder)
    words = ("approve", run_id, "--json", "--runs", folder / "runs")
    own = {name: value for name, value in environ.items() if not name.startswith("XDG_")}
    own |= bob.environ | {"DOCKER_CONFIG": str(bob.home)}
    done = bob.ours(*words, cwd=folder, code=code, environ=own)
    return (json.loads(done.stdout) if done.stdout else {}), done.stderr


def plan_of(environ: dict[str, str], folder: Path, service: str) -> dict[str, Any]:
    succeeded(run_cells("push", environ, folder, **IMAGE))
    return run_book("deploy", environ, folder, **IMAGE, deploy=service, service=service)


def test_a_guarded_run_needs_a_second_person(
    bob: User, guarded: dict[str, str], two: Two, sandbox: Sandbox
) -> None:
    """Not the one who asked, and once; the record of the run that went on has both names."""
    plan = plan_of(guarded, two.shared, "approved")
    before = journal(sandbox)
    assert (plan["state"], ".plan.ipynb" in plan["notebook"]) == ("succeeded", True)
    by_id = records(plan)["create_service"]["outcome"]["environment_id"]
    named_by_id = run_book(
        "deploy", guarded, two.shared, **IMAGE, deploy="approved", service="approved", environment=by_id
    )
    assert ".plan.ipynb" in named_by_id["notebook"]
    words = ("approve", plan["run_id"], "--runs", two.shared / "runs")
    mine = ours.call(*words, environ={**guarded, "SUDO_USER": "bob"}, cwd=two.shared)
    assert (mine.returncode, "cannot approve it" in mine.stderr) == (REFUSED, True)
    assert journal(sandbox) == before
    done, _ = approve(bob, guarded, two.shared, plan["run_id"])
    assert done["state"] == "succeeded", done["reason"]
    assert records(done)["verify"]["state"] == "succeeded"
    told = json.loads(Path(done["notebook"]).read_text())["metadata"]["ecr_widgets"]
    assert "plan" not in told
    assert told["approval"]["plan"] == plan["run_id"]
    assert told["approval"]["asked_by"] == "environment demo"
    assert (told["approval"]["requested_by"], told["approval"]["approved_by"]) == ("root", f"uid {bob.uid}")
    _, again = approve(bob, guarded, two.shared, plan["run_id"], code=REFUSED)
    assert "no longer fits" in again or "already approved" in again


def test_a_plan_that_no_longer_fits_is_refused(
    bob: User, guarded: dict[str, str], two: Two, sandbox: Sandbox
) -> None:
    """Somebody deployed meanwhile: nothing is changed, and the first step that differs is named."""
    plan = plan_of(guarded, two.shared, "overtaken")
    free = {name: value for name, value in guarded.items() if name != "ECR_WIDGETS_APPROVAL"}
    given = {"repository": IMAGE["repository"], "deploy": "overtaken", "service": "overtaken"}
    succeeded(run_cells("deploy", free, two.shared, **given))
    before = journal(sandbox)
    _, refused = approve(bob, guarded, two.shared, plan["run_id"], code=REFUSED)
    assert "no longer fits what exists: step check_target" in refused
    assert journal(sandbox) == before


def test_a_plan_that_was_edited_is_refused(
    bob: User, guarded: dict[str, str], two: Two, sandbox: Sandbox
) -> None:
    """Whoever approves sees what was planned, not what somebody made of it and of its seal since."""
    plan = plan_of(guarded, two.shared, "edited")
    path = Path(plan["notebook"])
    sealed = hashlib.sha256(path.read_bytes()).hexdigest().encode()
    path.write_text(path.read_text().replace('"service": "edited"', '"service": "other"'))
    before = journal(sandbox)
    _, refused = approve(bob, guarded, two.shared, plan["run_id"], code=REFUSED)
    assert "was changed since it was sealed" in refused
    chain = path.with_name("seals.jsonl")
    changed = hashlib.sha256(path.read_bytes()).hexdigest().encode()
    *others, last = chain.read_bytes().splitlines()
    chain.write_bytes(b"".join(line + b"\n" for line in (*others, forge(last, (sealed, changed)))))
    _, refused = approve(bob, guarded, two.shared, plan["run_id"], code=REFUSED)
    assert "its signature is wrong" in refused
    assert journal(sandbox) == before


def test_a_plan_goes_on_with_its_own_content_only(
    bob: User, guarded: dict[str, str], two: Two, sandbox: Sandbox
) -> None:
    """A Dockerrun or a Dockerfile that was edited between plan and approval is refused, the first of its name too."""
    shutil.copytree(SHIPPED / "wait", two.shared / "wait")
    deploy = plan_of(guarded, two.shared, "content")
    release = run_book(
        "release", guarded, two.shared, repository="yes/fresh", deploy="content", service="content"
    )
    assert (deploy["state"], release["state"]) == ("succeeded", "succeeded")
    before = journal(sandbox)
    dockerrun, dockerfile = (
        two.shared / "wait" / name for name in ("timeout.dockerrun.aws.json", "Dockerfile.wait")
    )
    other = json.loads(dockerrun.read_text())
    other["containerDefinitions"][0]["memory"] += 1
    kept = dockerrun.read_text()
    dockerrun.write_text(json.dumps(other))
    _, refused = approve(bob, guarded, two.shared, deploy["run_id"], code=REFUSED)
    assert "no longer fits what exists: step create_deploy" in refused
    dockerrun.write_text(kept)
    dockerfile.write_text(dockerfile.read_text() + "LABEL edited=yes\n")
    _, refused = approve(bob, guarded, two.shared, release["run_id"], code=REFUSED)
    assert "no longer fits what exists: step build_image" in refused
    assert journal(sandbox) == before


STEPS = {
    "wait/Dockerfile.wait": "kit.build_image('wait', name='yes/swap', dockerfile='Dockerfile.wait')",
    "wait/timeout.dockerrun.aws.json": (
        "kit.create_deploy('swap', 'wait/timeout.dockerrun.aws.json', container='timeout', image='yes/swap')"
    ),
}


@pytest.mark.parametrize("file", STEPS)
def test_files_that_are_swapped_after_the_last_look_are_not_used(
    bob: User, guarded: dict[str, str], two: Two, sandbox: Sandbox, file: str
) -> None:
    """The run compares what it read with what was approved; resumed, it still does."""
    shutil.copytree(SHIPPED / "wait", two.shared / "wait")
    (two.shared / file).chmod(0o666)
    swap = f"import os, pathlib; 'ECR_WIDGETS_PLAN' in os.environ or pathlib.Path({file!r}).write_bytes(b' ')"
    path = write_runbook(two.shared, [swap, "from ecr_widgets import connect\nkit = connect()", STEPS[file]])
    book = json.loads(path.read_text())
    book["metadata"]["ecr_widgets"] = {"approval": "required"}
    path.write_text(json.dumps(book))
    asked = ("run", path, "--json", "--runs", two.shared / "runs")
    planned = ours.call(*asked, environ=guarded, cwd=two.shared)
    assert planned.returncode == WAITS, planned.stderr
    before = journal(sandbox)
    done, _ = approve(bob, guarded, two.shared, json.loads(planned.stdout)["run_id"], code=1)
    assert "is not what was approved" in done["reason"]
    words = ("run", "--resume", done["run_id"], "--json", "--runs", two.shared / "runs")
    own = {name: value for name, value in guarded.items() if not name.startswith("XDG_")}
    resumed = bob.ours(
        *words, cwd=two.shared, code=1, environ=own | bob.environ | {"DOCKER_CONFIG": str(bob.home)}
    )
    assert "is not what was approved" in json.loads(resumed.stdout)["reason"]
    assert journal(sandbox) == before


def test_what_waits_for_nobody_cannot_be_approved(bob: User, guarded: dict[str, str], two: Two) -> None:
    """A plain plan, a run and an unknown id."""
    done = run_book("login", guarded, two.shared)
    for run_id in (done["run_id"], "20260101T000000Z-000000"):
        approve(bob, guarded, two.shared, run_id, code=REFUSED)
