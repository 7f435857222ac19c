"""One run at a time on one target, and a way back, on real parts."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ecr_widgets.model.record import StepState
from ecr_widgets.sandbox import Sandbox
from tests import ours
from tests.faults import forked
from tests.holding import hooked
from tests.sandbox.conftest import BIN, SHIPPED, Cells, Run, journal, records, succeeded

BOTH = ("demo", "ecs:demo")


@contextmanager
def held(
    environ: dict[str, str], folder: Path, place: str, runbook: str, *words: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A run of a runbook that waits at `<step>.<moment>`; it goes on when that file in the folder is removed."""
    process = forked.start(
        [BIN / "ecr-widgets", "run", runbook, "--json", "--runs", folder / "runs", *words],
        env=environ | hooked(folder, folder / place, forked=True),
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline_s = time.monotonic() + 60
        while not (folder / place).exists():
            assert time.monotonic() < deadline_s, f"{place} was never reached"
            assert process.poll() is None, f"it ended before {place}"
            time.sleep(0.05)
        yield process
    finally:
        (folder / place).unlink(missing_ok=True)
        if process.poll() is None:
            process.kill()
        process.wait()


def resume_newest(environ: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Go on with the run that began last."""
    saved = max((folder / "runs").glob("*.ipynb"))
    run_id = json.loads(saved.read_text())["metadata"]["ecr_widgets"]["run_id"]
    words = ("run", "--json", "--runs", folder / "runs", "--resume", run_id)
    return ours.call(*words, environ=environ, cwd=folder)


def test_a_second_run_on_the_target_is_busy(
    run: Run, sandbox: Sandbox, sandbox_environ: dict[str, str], tmp_path: Path
) -> None:
    """It ends with 5 and names the holder before it changed anything; with --wait it takes its turn."""
    given = {"repository": "targets/busy", "deploy": "busy", "service": "busy", "local_name": "test/busy"}
    words = [word for pair in given.items() for word in ("-p", *pair)]
    with held(sandbox_environ, tmp_path, "build_image.begun", "release", *words) as first:
        before = journal(sandbox)
        (saved,) = (tmp_path / "runs").glob("*.ipynb")
        holder = saved.name[:23]
        told = run(**given)
        assert (told["exit_code"], told["state"]) == (5, "failed")
        assert f"run {holder} on " in records(told)["check_target"]["error"]["message"]
        assert journal(sandbox) == before
        (tmp_path / "build_image.begun").unlink()
        assert run(**given, options=["--wait", "60"])["state"] == "succeeded"
        assert first.wait() == 0


@pytest.mark.parametrize("environment", BOTH)
def test_a_task_of_a_killed_run_is_not_started_again(
    environment: str, cells: Cells, sandbox: Sandbox, sandbox_environ: dict[str, str], tmp_path: Path
) -> None:
    """Killed when the task was started and nobody knew: `--resume` waits for that one, by the server's journal."""
    given = {"repository": "targets/task", "deploy": "task", "environment": environment}
    succeeded(cells(**given, service="task"))
    words = [word for pair in (given | {"task": "task"}).items() for word in ("-p", *pair)]
    before = len(journal(sandbox))
    with held(sandbox_environ, tmp_path, "create_task.acted", "task", *words) as first:
        first.kill()
    done = resume_newest(sandbox_environ, tmp_path)
    assert done.returncode == 0, done.stderr
    since = journal(sandbox)[before:]
    asked = [each for each in since if "RunTask" in each.values() or "/task/" in each.values()]
    assert [each.get("method", "POST") for each in asked] == ["POST"]
    told = records(json.loads(done.stdout))["create_task"]
    assert (told["changed"], told["outcome"]["exit_codes"]) == (False, {"timeout": 0})


def broken(folder: Path) -> str:
    """A context whose containers fail."""
    context = shutil.copytree(SHIPPED / "wait", folder / "broken")
    (context / "Dockerfile.wait").write_text("FROM busybox\nCMD echo cannot-open-config && exit 3\n")
    return str(context)


@pytest.mark.parametrize("environment", BOTH)
def test_a_deploy_that_fails_goes_back_to_the_last_good_one(
    environment: str, cells: Cells, tmp_path: Path
) -> None:
    """With exit code and last line of the container; the way back succeeded, and what ran before runs."""
    given = {"repository": "targets/back", "deploy": "back", "service": "back", "local_name": "test/back"}
    given["environment"] = environment
    succeeded(cells(**given))
    *_, wait, back = cells(**given, context=broken(tmp_path), tag="2", on_failure="rollback")
    assert (wait.step, wait.state) == ("wait", StepState.FAILED)
    assert (back.step, back.state) == ("rollback", StepState.SUCCEEDED)
    assert back.outcome["deploy_id"] == ("back.1" if environment == "demo" else "back:1")
    assert wait.error
    assert "code 3" in wait.error["message"]
    if environment == "demo":
        assert "cannot-open-config" in str(wait.error)
    again = succeeded(cells(**given))
    assert (again["create_deploy"].changed, again["update_service"].changed) == (False, False)


def words_of_a_broken_release(folder: Path, name: str, **more: str) -> list[str]:
    """A second release whose containers fail, with a way back."""
    given = {"repository": f"targets/{name}", "deploy": name, "service": name, "local_name": f"test/{name}"}
    given |= {"context": broken(folder), "tag": "2", "on_failure": "rollback"} | more
    return [word for pair in given.items() for word in ("-p", *pair)]


def test_a_resumed_run_goes_back_to_where_its_first_attempt_came_from(
    cells: Cells, sandbox_environ: dict[str, str], tmp_path: Path
) -> None:
    """Killed while it waited: the service stands on the failing deploy already when it is resumed."""
    succeeded(cells(repository="targets/again", deploy="again", service="again"))
    words = words_of_a_broken_release(tmp_path, "again")
    with held(sandbox_environ, tmp_path, "wait.begun", "release", *words) as first:
        first.kill()
    done = resume_newest(sandbox_environ, tmp_path)
    told = json.loads(done.stdout)
    assert done.returncode == 1, told
    assert "rolled back to deploy again.1" in told["reason"]
    changed = {step["step"]: step["changed"] for step in told["steps"]}
    assert (changed["update_service"], changed["rollback"]) == (False, True)


def test_a_deploy_from_elsewhere_is_not_taken_back(
    cells: Cells, sandbox: Sandbox, sandbox_environ: dict[str, str], tmp_path: Path
) -> None:
    """Somebody on another host moves the service while this run waits for it: busy, and what they deployed stays."""
    given = {"repository": "targets/theirs", "deploy": "theirs", "service": "theirs"}
    succeeded(cells(**given))
    other = json.loads((SHIPPED / "wait" / "timeout.dockerrun.aws.json").read_text())
    other["containerDefinitions"][0]["memory"] = 12
    (tmp_path / "other.json").write_text(json.dumps(other))
    words = words_of_a_broken_release(tmp_path, "theirs")
    with held(sandbox_environ, tmp_path, "wait.begun", "release", *words) as first:
        elsewhere = {"XDG_STATE_HOME": str(tmp_path / "elsewhere")}
        succeeded(cells("deploy", elsewhere, **given, reference="custom-tag-1", dockerrun="other.json"))
        before = journal(sandbox)
        (tmp_path / "wait.begun").unlink()
        assert first.wait(timeout=120) == 5
    assert journal(sandbox) == before
    saved = max((tmp_path / "runs").glob("*.ipynb"))
    assert "was moved to deploy theirs.3 by somebody else" in saved.read_text()
