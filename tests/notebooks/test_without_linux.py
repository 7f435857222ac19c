"""Runs on a system without Linux's own features."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import psutil

from tests.notebooks.engine_runs import BIN, write_runbook

# Read by every Python process of the run: engine, guard and kernel.
HIDE = """
import ctypes, os
for name in ("posix_fallocate", "waitid", "pidfd_open", "memfd_create", "sched_getaffinity"):
    if hasattr(os, name): delattr(os, name)
found = ctypes.CDLL.__getattr__
def hidden(library, name):
    if name == "prctl": raise AttributeError(name)
    return found(library, name)
ctypes.CDLL.__getattr__ = hidden
"""
LEAVES_ONE = """
import os, subprocess, sys
assert not hasattr(os, "posix_fallocate")
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
open("child", "w").write(str(child.pid))
"""


def test_a_run_succeeds_and_leaves_no_process(tmp_path: Path) -> None:
    """A run succeeds and leaves no process, not even one that a cell started in its own session."""
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "sitecustomize.py").write_text(HIDE)
    book = write_runbook(tmp_path, [LEAVES_ONE, "print('well')"])
    done = subprocess.run(
        [BIN / "ecr-widgets", "run", book, "--runs", "runs", "--json"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path / "hidden")}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["state"] == "succeeded"
    assert has_ended(int((tmp_path / "child").read_text()))


def has_ended(pid: int) -> bool:
    """Whether the process has ended, even if it is still a zombie."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_the_engine_itself_looks_at_nothing_below_proc() -> None:
    """No file of the engine reads /proc; what it needs to know about processes comes from psutil."""
    engine = Path(__file__).parents[2] / "ecr_widgets" / "engine"
    assert [path.name for path in engine.glob("*.py") if '"/proc' in path.read_text()] == []
