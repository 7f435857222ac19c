"""Manual actions in a panel, in kernels that are killed and in several kernels at the same time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_client.manager import start_new_kernel

from tests.notebooks.engine_runs import BIN

CHECKOUT = Path(__file__).parents[2]
PANEL = """
import os, threading, time
from pathlib import Path
from ecr_widgets.engine.action_run import ActionRuns
from ecr_widgets.panels import scripts
from ecr_widgets.secrets.redaction import SecretRegistry
from tests.panels import world
kit = world.kit(2)
kit.__dict__["actions"] = ActionRuns(Path("runs"), os.environ, SecretRegistry())
panel = kit.deploys("demo", "web")
"""
HANG = """
kit._outside.layer0.scale_service = lambda *_: time.sleep(600)
panel.act("scale", scripts.SCALE.using(environment="demo", service="web", copies=2))
"""
MANY = (
    PANEL
    + """
for number in range(5):
    panel._reason = f"number {number}"
    panel.act("scale", scripts.SCALE.using(environment="demo", service="web", copies=number))
    while panel._turns.status:
        time.sleep(0.01)
    assert not panel.problem, panel.problem
for thread in threading.enumerate():  # a picture that is drawn when Python ends would abort it
    if thread.name == "ecr-widgets panel":
        thread.join()
"""
)


def wait_until(seen: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 60
    while not seen():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def audit(folder: Path, *words: str) -> Any:
    done = subprocess.run(
        [BIN / "ecr-widgets", "audit", *words, "--runs", "runs", "--json"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return json.loads(done.stdout)


def test_a_kernel_that_is_killed_leaves_an_interrupted_run(tmp_path: Path) -> None:
    """If a kernel is killed during an action, its saved run is interrupted and says which step was in progress."""
    environ = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(tmp_path), env=environ)
    runs = tmp_path / "runs"
    try:
        for source in (PANEL, HANG):
            reply = client.execute_interactive(source, timeout=60)
            assert reply["content"]["status"] == "ok", reply
        wait_until(lambda: any(b"intended" in path.read_bytes() for path in runs.glob("*.ipynb")))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)  # SIGKILL
    (row,) = audit(tmp_path, "list")
    assert (row["runbook"], row["verdict"]) == ("panel-scale", "interrupted")
    assert row["why"] == "it stopped without an end at scale_service"
    assert row["parameters"] == {"environment": "demo", "service": "web", "copies": 2}


def test_actions_of_several_kernels_make_one_chain_of_seals(tmp_path: Path) -> None:
    """Actions from several kernels are all saved and sealed in one chain, each with its actor."""
    environ = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    beside = []
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        source = MANY.replace('Path("runs")', f"Path({str(tmp_path / 'runs')!r})")
        beside.append(subprocess.Popen([sys.executable, "-c", source], cwd=folder, env=environ))
    assert [process.wait(120) for process in beside] == [0, 0]
    rows = audit(tmp_path, "list")
    assert len(rows) == 10
    assert all(row["actor"] for row in rows)
    verified = audit(tmp_path, "verify")
    assert verified["ok"], verified
