"""The engine under real signals and kills, and runs that are resumed afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from ecr_widgets.engine.run import resume_run, run_runbook
from ecr_widgets.errors import InputError, TargetBusy
from tests.notebooks.engine_runs import BIN, RECORDING_CELL, states, write_runbook

CHILDREN = (
    "import subprocess\n"
    "child = subprocess.Popen(['sleep', '300'])\n"
    "apart = subprocess.Popen(['sleep', '300'], start_new_session=True)\n"
    "orphan = subprocess.run(['sh', '-c', 'setsid sleep 300 & echo left'], stdout=subprocess.DEVNULL)\n"
)
WAITING = CHILDREN + "import time\nprint('waiting', flush=True)\ntime.sleep(300)"
CREATE_ONCE = """
from dataclasses import dataclass
from pathlib import Path
@dataclass
class Made:
    changed: bool
def make(_):
    path = Path(os.environ["MARK"], "made")
    made = not path.exists()
    path.touch()
    return Made(made)
recorder.perform("create_deploy", {}, make)
"""
WAITING_ONCE = """
import time
print("waiting", flush=True)
while not Path(os.environ["MARK"], "go on").exists():
    time.sleep(0.05)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_interrupts_the_run_and_keeps_what_was_printed(tmp_path: Path, number: int) -> None:
    """A signal ends the run as interrupted with exit code 3, keeps the printed output and leaves no process."""
    process, saved_at = start(tmp_path)
    process.send_signal(number)
    process.communicate(timeout=30)
    saved = json.loads(saved_at.read_text())
    assert process.returncode == 3
    assert saved["metadata"]["ecr_widgets"]["state"] == "interrupted"
    assert states(saved) == ["succeeded", "interrupted", "not-run"]
    assert saved["cells"][2]["outputs"][0]["text"] == "waiting\n"
    assert "◐ interrupted" in saved["cells"][0]["source"]
    assert not children(saved_at)


def test_a_signal_that_was_ignored_from_the_start_stays_so(tmp_path: Path) -> None:
    """Under `nohup` a run continues when its terminal is closed."""
    process, _ = start(tmp_path, "import os; from pathlib import Path", WAITING_ONCE, before=["nohup"])
    process.send_signal(signal.SIGHUP)
    (tmp_path / "go on").touch()
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_nothing_that_a_cell_started_outlives_a_run_that_ended(tmp_path: Path) -> None:
    """Processes that a cell started end with the run, even in a session of their own."""
    result = run_runbook(
        write_runbook(tmp_path, [CHILDREN]),
        {},
        runs=tmp_path / "runs",
        environ=os.environ | {"MARK": str(tmp_path)},
    )
    assert result.state == "succeeded"
    assert not children(result.notebook)


def test_what_a_cell_started_ends_with_a_run_whose_guard_was_killed(tmp_path: Path) -> None:
    """If the guard process is killed, what a cell started is still ended with the run."""
    result = run_runbook(
        write_runbook(tmp_path, [CHILDREN, "import os; os.kill(os.getppid(), 9); input()"]),
        {},
        runs=tmp_path / "runs",
        environ=os.environ | {"MARK": str(tmp_path)},
    )
    assert (result.state, result.reason) == ("failed", "kernel died (signal SIGKILL)")
    assert not children(result.notebook)


def test_a_killed_run_leaves_a_true_file_and_no_orphan(tmp_path: Path) -> None:
    """A run killed by SIGKILL leaves a readable file in state running, and its kernel and child processes end within seconds."""
    # A short path, because it holds a socket, whose path may have 108 bytes.
    kernels = Path(tempfile.mkdtemp(prefix="k-"))
    process, saved_at = start(tmp_path, TMPDIR=str(kernels))
    assert list(kernels.glob("ecrw-*"))
    process.kill()
    process.communicate(timeout=30)
    saved = json.loads(saved_at.read_text())
    assert saved["metadata"]["ecr_widgets"]["state"] == "running"
    deadline = time.monotonic() + 10
    while children(saved_at) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not children(saved_at)
    assert not list(kernels.iterdir())
    kernels.rmdir()


def test_a_killed_run_is_taken_up_where_it_stands(tmp_path: Path) -> None:
    """A killed run is resumed with the same id and file, finds what was done, and keeps the earlier attempt's records."""
    process, saved_at = start(tmp_path, RECORDING_CELL + CREATE_ONCE, WAITING_ONCE)
    run_id = json.loads(saved_at.read_text())["metadata"]["ecr_widgets"]["run_id"]
    with pytest.raises(TargetBusy, match="still running"):
        resume_run(run_id, runs=saved_at.parent)
    process.kill()
    process.communicate(timeout=30)
    (tmp_path / "go on").touch()
    result = resume_run(run_id, runs=saved_at.parent, environ=os.environ | {"MARK": str(tmp_path)})
    assert (result.state, result.run_id, result.notebook) == ("succeeded", run_id, saved_at)
    assert [step.changed for step in result.steps] == [False]
    told = json.loads(saved_at.read_text())["metadata"]["ecr_widgets"]
    (attempt,) = told["attempts"]
    assert (attempt["state"], [record["changed"] for record in attempt["records"]]) == ("interrupted", [True])
    assert told["parameters"] == {"tag": "x"}
    assert {path.name for path in saved_at.parent.iterdir()} == {saved_at.name, "seals.jsonl"}
    with pytest.raises(InputError, match="has succeeded"):
        resume_run(run_id, runs=saved_at.parent)


@pytest.mark.parametrize("run_id", ["", "20260101T000000Z-aaaaaa", "../x", "2026"])
def test_a_run_that_is_not_there_cannot_be_taken_up(tmp_path: Path, run_id: str) -> None:
    """A run that does not exist cannot be resumed, not even by a part of an id."""
    (tmp_path / "20260101T000000Z-bbbbbb-release.ipynb").write_text("{}")
    with pytest.raises(InputError, match="no run"):
        resume_run(run_id, runs=tmp_path)


def start(
    folder: Path, *sources: str, before: Sequence[str] = (), **environ: str
) -> tuple[subprocess.Popen[bytes], Path]:
    """Start our command on a run that waits in one of its cells, and return it and its saved file once that says so."""
    book = write_runbook(folder, sources or [WAITING, "print('never')"])
    runs = folder / "runs"
    process = subprocess.Popen(
        [*before, BIN / "ecr-widgets", "run", book, "--runs", runs],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "MARK": str(folder), **environ},
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for path in runs.glob("*.ipynb") if runs.exists() else ():
            if "waiting\\n" in path.read_text():
                return process, path
        time.sleep(0.05)
    process.kill()
    raise AssertionError(process.communicate())


def children(saved_at: Path) -> list[str]:
    """Return processes other than the test's own that have the folder's mark in their environment."""
    found = []
    mark = f"MARK={saved_at.parent.parent}".encode()
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            command = (environ.parent / "cmdline").read_bytes()
            if mark in environ.read_bytes() and command:
                found.append(environ.parent.name)
        except OSError:
            continue
    return found
