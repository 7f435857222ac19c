"""A second person's approval of a runbook that requires one: who may give it, and for what."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.notebooks.engine_runs import write_runbook
from tests.people import Two, User

PLANNING = "import os; planning = 'ECR_WIDGETS_PLAN' in os.environ"
RAN = "planning or open('ran', 'a').write(f'{os.getuid()} as planned\\n')"


def plan_by(user: User, folder: Path, *sources: str) -> str:
    """Return the id of a plan that waits for another person."""
    book = json.loads(write_runbook(folder, [PLANNING, *sources, RAN]).read_text())
    book["metadata"]["ecr_widgets"] = {"approval": "required"}
    (folder / "book.ipynb").write_text(json.dumps(book))
    done = user.ours("run", "book.ipynb", "--json", cwd=folder, code=7)
    run_id: str = json.loads(done.stdout)["run_id"]
    return run_id


def approve(user: User, run_id: str, folder: Path, *, code: int = 2, **environ: str) -> str:
    return user.ours("approve", run_id, cwd=folder, code=code, environ=environ).stderr


def test_another_user_whose_key_is_known_lets_it_go_on(two: Two) -> None:
    """Another user who trusts the planner's key can approve a plan, once; the run records both people."""
    run_id = plan_by(two.alice, two.shared)
    unknown = approve(two.bob, run_id, two.shared)
    assert "which is not known to you" in unknown
    assert "audit key trust" in unknown
    two.bob.trusts(two.alice, cwd=two.shared)
    approve(two.bob, run_id, two.shared, code=0)
    assert (two.shared / "ran").read_text() == f"{two.bob.uid} as planned\n"
    (saved,) = (path for path in two.shared.glob("runs/*.ipynb") if ".plan." not in path.name)
    told = json.loads(saved.read_text())["metadata"]["ecr_widgets"]["approval"]
    assert (told["requested_by"], told["approved_by"]) == (f"uid {two.alice.uid}", f"uid {two.bob.uid}")
    assert "already approved" in approve(two.bob, run_id, two.shared)


def test_no_variable_makes_a_second_person(two: Two) -> None:
    """Users cannot approve their own plan, whatever environment variables they set."""
    run_id = plan_by(two.alice, two.shared)
    for name in ("SUDO_USER", "USER", "LOGNAME", "SUDO_UID"):
        assert "cannot approve it" in approve(two.alice, run_id, two.shared, **{name: str(two.bob.uid)})


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare")
@pytest.mark.parametrize("option", ["--map-root-user", f"--map-user={61002}"])
def test_a_user_namespace_approves_and_plans_nothing(two: Two, option: str) -> None:
    """Nobody can plan or approve inside a user namespace."""
    run_id = plan_by(two.alice, two.shared)
    inside = ("unshare", "--user", option, *two.alice.command)
    if two.alice.run("unshare", "--user", option, "true", cwd=two.shared).returncode:
        pytest.skip("no user namespaces here")
    done = two.alice.run(*inside, "approve", run_id, cwd=two.shared)
    assert done.returncode == 2
    assert "user namespace" in done.stderr
    assert list(two.shared.glob("runs/.*.approved")) == []
    before = sorted(two.shared.glob("runs/*"))
    done = two.alice.run(*inside, "run", "book.ipynb", cwd=two.shared)
    assert done.returncode == 2
    assert "user namespace" in done.stderr
    assert sorted(two.shared.glob("runs/*")) == before


def test_a_plan_that_is_swapped_while_it_is_looked_at_runs_as_it_was(two: Two) -> None:
    """The approved plan is run even if its file is replaced while it is being read."""
    swap = (
        "import pathlib\n"
        "for plan in pathlib.Path('runs').glob('*.plan.ipynb') if os.path.exists('armed') else ():\n"
        "    pathlib.Path('other').write_text(plan.read_text().replace('as planned', 'as swapped'))\n"
        "    os.replace('other', plan)"
    )
    run_id = plan_by(two.alice, two.shared, swap)
    two.bob.trusts(two.alice, cwd=two.shared)
    (two.shared / "armed").touch()
    approve(two.bob, run_id, two.shared, code=0)
    (plan,) = two.shared.glob("runs/*.plan.ipynb")
    assert "as swapped" in plan.read_text()
    assert (two.shared / "ran").read_text() == f"{two.bob.uid} as planned\n"


def test_a_plan_under_ones_own_key_is_ones_own(two: Two) -> None:
    """A plan sealed with one's own key cannot be approved, whoever the file says made it and whoever owns it."""
    run_id = plan_by(two.alice, two.shared)
    shutil.copytree(two.alice.home / ".local", two.bob.home / ".local")
    subprocess.run(["chown", "-R", str(two.bob.uid), two.bob.home], check=True)
    assert "sealed with your own key" in approve(two.bob, run_id, two.shared)


def test_the_account_that_a_plan_belongs_to_cannot_approve_it(two: Two) -> None:
    """The account that owns a plan's file cannot approve it, even if the plan says that another person made it."""
    run_id = plan_by(two.bob, two.shared)
    two.alice.trusts(two.bob, cwd=two.shared)
    (plan,) = two.shared.glob("runs/*.plan.ipynb")
    shutil.chown(plan, two.alice.uid)
    assert "cannot approve it" in approve(two.alice, run_id, two.shared)
    shutil.chown(plan, two.bob.uid)
    approve(two.alice, run_id, two.shared, code=0)


def test_a_plan_that_does_not_say_who_made_it_is_refused(two: Two) -> None:
    """A plan that does not say who made it cannot be approved."""
    run_id = plan_by(two.alice, two.shared)
    (plan,) = two.shared.glob("runs/*.plan.ipynb")
    notebook = json.loads(plan.read_text())
    del notebook["metadata"]["ecr_widgets"]["approval"]["requester"]
    plan.write_text(json.dumps(notebook))
    assert "does not say who made it" in approve(two.bob, run_id, two.shared)
