"""Several users with one folder of runs: each sees the state of the others' runs, and none blocks another."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ecr_widgets.audit import chain
from ecr_widgets.engine.run import run_runbook
from ecr_widgets.locks import take
from tests.faults import forked
from tests.notebooks.engine_runs import write_runbook
from tests.people import Two

pytestmark = pytest.mark.usefixtures("forked_kernels")

WAITING = """
from ecr_widgets.audit import chain
from ecr_widgets.cli import main

take, chain.LONGEST_WAIT_S = chain.take, 600.0

def telling(lock, **more):
    open("waits", "w").close()
    return take(lock, **more)

chain.take = telling
main()
"""
WAIT = "import os, time\nwhile not os.path.exists('go'): time.sleep(0.05)"


def wait_for(what: Path) -> None:
    deadline_s = time.monotonic() + 60
    while not what.exists():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.05)


@pytest.mark.parametrize("folder", [0o2775, 0o1777])
def test_anothers_live_run_is_running_and_stays_its_own_to_seal(two: Two, folder: int) -> None:
    """Another user's live run is shown as running and is not sealed by others, and in the end all is in order for both."""
    write_runbook(two.shared, ["open('began', 'w')", WAIT])
    runs = two.shared / "runs"
    runs.mkdir()
    runs.chmod(folder)
    os.chown(runs, 0, two.shared.stat().st_gid)
    running = two.alice.start("run", "book.ipynb", cwd=two.shared)
    try:
        wait_for(two.shared / "began")
        (row,) = json.loads(two.bob.ours("audit", "list", "--json", cwd=two.shared).stdout)
        assert row["verdict"] == "running"
        two.bob.ours("audit", "seal", cwd=two.shared)
        assert not (runs / chain.FILE_NAME).exists()
        busy = two.bob.ours("run", "--resume", row["run_id"], cwd=two.shared, code=5)
        assert "still running" in busy.stderr
    finally:
        (two.shared / "go").touch()
        running.wait()
    assert running.returncode == 0
    two.bob.trusts(two.alice, cwd=two.shared)
    for user in (two.alice, two.bob):
        user.ours("audit", "verify", cwd=two.shared)


def test_two_users_runs_are_sealed_in_one_chain(two: Two) -> None:
    """Runs of two users are sealed in one chain; if the second may not write to it, the result says why."""
    write_runbook(two.shared, [])
    for user in (two.alice, two.bob):
        told = json.loads(user.ours("run", "book.ipynb", "--json", cwd=two.shared).stdout)
        assert "unsealed" not in told
    two.bob.trusts(two.alice, cwd=two.shared)
    two.bob.ours("audit", "verify", cwd=two.shared)
    (two.shared / "runs" / chain.FILE_NAME).chmod(0o644)
    done = two.bob.ours("run", "book.ipynb", cwd=two.shared)
    assert "(not sealed: the seals in" in done.stdout
    told = json.loads(two.bob.ours("run", "book.ipynb", "--json", cwd=two.shared).stdout)
    assert (told["state"], "cannot be written" in told["unsealed"]) == ("succeeded", True)


def test_a_run_whose_seal_is_kept_waiting_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that cannot be sealed because the seals are in use succeeds, and the result says so."""
    monkeypatch.setattr(chain, "LONGEST_WAIT_S", 0.0)
    (tmp_path / "runs").mkdir()
    lock = tmp_path / "runs" / ".seals.jsonl.lock"
    lease = take(lock)
    assert lease is not None
    result = run_runbook(write_runbook(tmp_path, []), {}, runs=tmp_path / "runs")
    lease.release()
    assert (result.state, result.exit_code) == ("succeeded", 0)
    assert "are in use" in str(result.unsealed)
    assert "are in use" in result.to_json()["unsealed"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_while_the_seal_waits_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    """A signal while a run waits to be sealed leaves it succeeded and unsealed, and its private folder is removed."""
    runs, private = tmp_path / "runs", tmp_path / "private"
    runs.mkdir()
    private.mkdir()
    lease = take(runs / ".seals.jsonl.lock")
    assert lease is not None
    write_runbook(tmp_path, [])
    running = forked.start(
        [sys.executable, "-c", WAITING, "run", "book.ipynb", "--json"],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(private)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(tmp_path / "waits")
    finally:
        running.send_signal(number)
        out, _ = running.communicate(timeout=60)
    told = json.loads(out)
    lease.release()
    assert (running.returncode, told["state"]) == (0, "succeeded")
    assert "interrupted" in told["unsealed"]
    assert list(private.iterdir()) == []
