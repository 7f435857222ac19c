"""Part B at the boundaries of steps: a release is held exactly there, and killed or stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ecr_widgets.audit.judging import Verdict, judge
from ecr_widgets.model.record import RECORD_MIME
from tests.faults import forked
from tests.faults.books import BIN
from tests.faults.plan import Attempt, row
from tests.faults.rows.crashes import kill_marked, marked, until
from tests.faults.rows.replies import (
    environ_of,
    journal,
    made,
    moves,
    other_dockerrun,
    pushed,
    released,
    short_name,
    task_words,
    tasks,
    tidy,
    words_of,
)
from tests.holding import BLIND, HOOK, MOMENTS, hooked
from tests.reading import read_file

STEPS = (
    "check_target",
    "login",
    "build_image",
    "create_repository",
    "push_image",
    "create_deploy",
    "create_service",
    "wait",
    "verify",
)
TASK_STEPS = ("check_target", "login", "find_image", "create_deploy", "create_task")
BOUNDARIES = (*STEPS, "update_service", "create_task")


def held(at: Attempt, place: str, words: Sequence[str | Path]) -> subprocess.Popen[bytes]:
    """A run that waits at `<step>.<moment>`, for ever."""
    reached = at.folder / place
    process = subprocess.Popen(
        words,
        env=environ_of(at) | hooked(at.folder, reached) | {"FAULTS_MARK": str(at.folder)},
        cwd=at.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: reached.exists() or process.poll() is not None, f"{place} was never reached")
    assert process.poll() is None, f"it ended with {process.returncode} before {place}"
    return process


def run_to_its_end(at: Attempt, words: Sequence[str | Path]) -> dict[str, Any]:
    """A run that succeeds; what it prints."""
    done = forked.run(words, env=environ_of(at), cwd=at.folder, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.returncode}: {done.stderr[-500:]} {done.stdout[-300:]}"
    ended: dict[str, Any] = json.loads(done.stdout)
    assert ended["state"] == "succeeded"
    return ended


def saved(at: Attempt) -> Path:
    """The newest run; names begin with the time."""
    return max((at.folder / "runs").glob("*.ipynb"))


def run_id(path: Path) -> str:
    """Of a saved run."""
    return str(json.loads(path.read_text())["metadata"]["ecr_widgets"]["run_id"])


def _records(path: Path) -> list[tuple[str, str]]:
    cells = json.loads(path.read_text())["cells"]
    outputs = [output["data"] for cell in cells for output in cell.get("outputs", ()) if "data" in output]
    records = [json.loads("".join(each[RECORD_MIME])) for each in outputs if RECORD_MIME in each]
    return [(each["step"], each["state"]) for each in records]


def resumed(at: Attempt, run: str) -> list[str | Path]:
    """What resumes a run."""
    words = [BIN / "ecr-widgets", "run", "--json", "--runs", at.folder / "runs", "--resume", run]
    return [*words, "--wait", "30"]


STORE = """
import sys
from ecr_widgets import connect
from ecr_widgets.recording.terminal import QuietSink
connect(sink=QuietSink()).create_deploy(sys.argv[1], sys.argv[2], image="registry.test/app@sha256:" + "a" * 64)
"""


def _store_blindly(at: Attempt, name: str, *, hold_at: str = "nowhere") -> subprocess.Popen[bytes]:
    """The one step by itself, without its look at what stands: what the rows' controls do twice."""
    path = at.folder / "dockerrun.json"
    path.write_text(json.dumps({"containerDefinitions": [{"name": "a", "image": "x", "memory": 10}]}))
    return forked.start(
        [sys.executable, "-c", STORE, name, path],
        env=environ_of(at) | hooked(at.folder, at.folder / hold_at, HOOK + BLIND, forked=True),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _killed_blind(at: Attempt) -> None:
    name, place = short_name(at), "create_deploy.acted"
    storing = _store_blindly(at, name, hold_at=place)
    try:
        until(
            lambda: (at.folder / place).exists() or storing.poll() is not None, f"{place} was never reached"
        )
    finally:
        storing.kill()
        storing.wait()
    assert _store_blindly(at, name).wait() == 0
    deploys, _ = made(at.sandbox(), name)
    assert deploys == 1, f"{deploys} deploys"


def _killed(at: Attempt) -> None:
    # Counted so that the quick profile's one try is where most is at stake: a deploy is stored, and nobody was told.
    number = (at.seed + 19) % (len(BOUNDARIES) * len(MOMENTS))
    step, moment = BOUNDARIES[number // len(MOMENTS)], MOMENTS[number % len(MOMENTS)]
    name = short_name(at)
    words, steps = words_of(at, name), STEPS
    if step in ("update_service", "create_task"):
        released(at, name)
    if step == "update_service":
        words = [*words, "-p", "dockerrun", str(other_dockerrun(at))]
        steps = tuple("update_service" if each == "create_service" else each for each in STEPS)
    elif step == "create_task":
        words, steps = task_words(at, name), TASK_STEPS
    started = tasks(at.sandbox())
    process = held(at, f"{step}.{moment}", words)
    try:
        # The runner alone, and its kernel follows; or all at once.
        process.kill() if at.rng.random() < 0.5 else kill_marked(at.folder)
        process.wait()
        until(lambda: not marked(at.folder), "somebody outlived the runner", within_s=10)
    finally:
        kill_marked(at.folder)
    path = saved(at)
    _tells(path, step, moment, steps)
    # A task is run anew by each run of its runbook, and once by one that is resumed.
    is_resumed = step == "create_task" or at.rng.random() < 0.5
    run_to_its_end(at, resumed(at, run_id(path)) if is_resumed else [*words, "--wait", "30"])
    moved = int(step == "update_service")
    _one_of_each(at, name, deploys=1 + moved)
    assert moves(at.sandbox(), name) == moved, f"{moves(at.sandbox(), name)} moves"
    started = tasks(at.sandbox()) - started
    assert started == int(step == "create_task"), f"{started} tasks"
    tidy(at, name)


def _tells(path: Path, step: str, moment: str, steps: Sequence[str]) -> None:
    """The saved run is an interrupted one, and its last record is what had happened."""
    found = read_file(path)
    assert judge(found).verdict is Verdict.INTERRUPTED, judge(found)
    records = _records(path)
    before = [(each, "succeeded") for each in steps[: steps.index(step)]]
    here = {
        "begun": [[]],
        "intended": [[(step, "intended")]],
        "acted": [[(step, "intended")]],
        # The outcome may have been on its way to the disk.
        "recorded": [[(step, "intended")], [(step, "succeeded")]],
    }[moment]
    late = [*before[:-1], (before[-1][0], "intended")] if before else []
    assert records in [[*each, *last] for last in here for each in (before, late)], records


def _one_of_each(at: Attempt, name: str, *, deploys: int = 1) -> None:
    assert made(at.sandbox(), name) == (deploys, 1), made(at.sandbox(), name)
    digests = pushed(at.sandbox(), name)
    assert len(digests) == 1, f"{len(digests)} digests were pushed"


@row(
    15,
    "SIGKILL at each of the 44 boundaries of the steps of a release, an update and a task, then again or --resume",
    tries=560,
    quick=1,
    control=_killed_blind,
)
def killed(at: Attempt) -> None:
    """The file says where it stopped; in the end there is one digest, one deploy of a content, one service and one task."""
    _killed(at)


ENDS = ("succeeded", "stopped", "bad value", "no such container", "timed out", "kernel killed")


def _parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _ended(at: Attempt, name: str, end: str) -> None:
    """Bring a release to that end."""
    bad = {
        "bad value": ["-p", "wait_timeout_s", "soon"],
        "no such container": ["-p", "container", "nobody"],
        "timed out": ["-p", "wait_timeout_s", "0.001"],
    }
    if end in ("stopped", "kernel killed"):
        place = f"{at.rng.choice(STEPS[3:])}.{at.rng.choice(MOMENTS)}"
        process = held(at, place, words_of(at, name))
        try:
            if end == "stopped":
                process.terminate()
            else:
                launched = marked(at.folder, b"kernel_launcher")
                # Its guard is the one that started it.
                kernel = next(pid for pid in launched if _parent_of(pid) in launched)
                os.kill(kernel, signal.SIGKILL)
            process.wait(timeout=30)
        finally:
            kill_marked(at.folder)
        assert process.returncode != 0
        return
    done = forked.run(
        [*words_of(at, name), *bad.get(end, [])],
        env=environ_of(at),
        cwd=at.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    expected = {"succeeded": 0, "bad value": 2}.get(end, 1)
    assert done.returncode == expected, f"{end}: {done.returncode} {done.stderr[-500:]}"


def _rerun(at: Attempt) -> None:
    end = ENDS[at.seed % len(ENDS)]
    name = short_name(at)
    _ended(at, name, end)
    if end in ("stopped", "kernel killed") and at.rng.random() < 0.5:
        run_to_its_end(at, resumed(at, run_id(saved(at))))
    else:
        run_to_its_end(at, [*words_of(at, name), "--wait", "30"])
    _one_of_each(at, name)
    with _nothing_changed(at, end):
        again = released(at, name)
    assert not [each for each in again if each.changed], again
    tidy(at, name)


@contextmanager
def _nothing_changed(at: Attempt, end: str) -> Iterator[None]:
    before = journal(at.sandbox())
    yield
    changes = journal(at.sandbox())[len(before) :]
    assert not changes, f"after {end}: {changes}"


def _rerun_blind(at: Attempt) -> None:
    name = short_name(at)
    assert _store_blindly(at, name).wait() == 0
    with _nothing_changed(at, "a success"):
        assert _store_blindly(at, name).wait() == 0


@row(
    27,
    "a release that succeeded, was stopped, lost its kernel, was refused, failed or timed out; run again, and again",
    tries=60,
    quick=1,
    control=_rerun_blind,
)
def rerun(at: Attempt) -> None:
    """The second run brings about what was wanted, and the one after it changes nothing, by the servers' journals."""
    _rerun(at)
