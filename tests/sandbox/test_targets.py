"""One run at a time on one target, and a way back, on real parts."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

from ecr_widgets.sandbox import Sandbox
from tests.sandbox.conftest import BIN, SHIPPED, Run, journal, records


def test_a_second_run_on_the_target_is_busy(
    run: Run, sandbox: Sandbox, sandbox_environ: dict[str, str], tmp_path: Path
) -> None:
    """It ends with 5 and names the holder before it changed anything; with --wait it takes its turn."""
    given = {"repository": "targets/busy", "deploy": "busy", "service": "busy", "local_name": "test/busy"}
    words = [word for pair in given.items() for word in ("-p", *pair)]
    context = shutil.copytree(SHIPPED / "wait", tmp_path / "wait")
    # Slow enough for the other to come in between.
    (context / "Dockerfile.wait").write_text(
        "FROM busybox\nENV SLEEP_TIME=60\nRUN sleep 4\nCMD sleep $SLEEP_TIME\n"
    )
    with subprocess.Popen(
        [
            BIN / "ecr-widgets",
            "run",
            "release",
            "--json",
            "--runs",
            tmp_path / "runs",
            *words,
            "-p",
            "context",
            context,
        ],
        env=sandbox_environ,
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as first:
        deadline_s = time.monotonic() + 30
        while not any(
            "check_target succeeded" in path.read_text() for path in (tmp_path / "runs").glob("*.ipynb")
        ):
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        before = journal(sandbox)
        told = run(**given)
        assert (told["exit_code"], told["state"]) == (5, "failed")
        holder = min(path.name for path in (tmp_path / "runs").glob("*.ipynb"))[:23]
        assert f"run {holder} on " in records(told)["check_target"]["error"]["message"]
        assert [entry for entry in journal(sandbox)[len(before) :] if entry["server"] == "layer0"] == []
        waited = run(**given, context=str(context), options=["--wait", "60"])
        assert waited["state"] == "succeeded"
        assert first.wait() == 0


def test_a_deploy_that_fails_goes_back_to_the_last_good_one(run: Run, tmp_path: Path) -> None:
    """The run has failed, its rollback succeeded, and what ran before runs again."""
    given = {"repository": "targets/back", "deploy": "back", "service": "back", "local_name": "test/back"}
    assert run(**given)["state"] == "succeeded"
    context = shutil.copytree(SHIPPED / "wait", tmp_path / "broken")
    (context / "Dockerfile.wait").write_text("FROM busybox\nCMD echo cannot-open-config && exit 3\n")
    told = run(**given, context=str(context), tag="2", on_failure="rollback")
    assert (told["exit_code"], told["state"]) == (1, "failed")
    found = records(told)
    assert (found["wait"]["state"], found["rollback"]["state"]) == ("failed", "succeeded")
    assert found["rollback"]["outcome"]["deploy_id"] == "back.1"
    assert "brought back to deploy back.1" in told["reason"]
    again = run(**given)
    changed = {step["step"]: step["changed"] for step in again["steps"]}
    assert (again["state"], changed["create_deploy"], changed["update_service"]) == (
        "succeeded",
        False,
        False,
    )
