"""Row 79: files in the folder that are named like the modules which engine, guard and kernel need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping

from tests.faults.books import BIN, write_book
from tests.faults.plan import Attempt, row

NEEDED = (
    "random",
    "token",
    "types",
    "queue",
    "email",
    "logging",
    "signal",
    "select",
    "docker",
    "zmq",
    "ipykernel",
)
NAMES = tuple(sorted({*NEEDED, *sys.stdlib_module_names}))
EARLY = "random"
"""One that is loaded after the start of Python, and before a cell."""


def _run(at: Attempt, names: tuple[str, ...], environ: Mapping[str, str]) -> None:
    beside = at.folder / "books"
    beside.mkdir()
    for name in names:
        (at.folder / f"{name}.py").write_text("open('executed', 'a').write(__name__ + ' ')")
    (beside / "own_steps.py").write_text("def greet(): return 'from beside'")
    book = write_book(beside, ["from own_steps import greet; print(greet())"])
    door = (
        [BIN / "ecr-widgets", "run", book, "--runs", "runs"],
        [BIN / "papermill", "--engine", "ecr_widgets", "--no-progress-bar", book, "runs/out.ipynb"],
    )[at.rng.randrange(2)]
    (at.folder / "runs").mkdir()
    done = subprocess.run(door, cwd=at.folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-300:]
    executed = at.folder / "executed"
    assert not executed.exists(), f"executed: {executed.read_text()}"
    (saved,) = (at.folder / "runs").glob("*.ipynb")
    assert "from beside" in json.dumps(json.loads(saved.read_text())["cells"])


def _unguarded(at: Attempt) -> None:
    # As a launcher does that leaves the current folder in front of all modules.
    _run(at, (EARLY,), {**os.environ, "PYTHONPATH": str(at.folder)})


@row(
    79,
    "files in the folder that have the names of modules a run needs; modules beside the runbook",
    tries=40,
    quick=1,
    control=_unguarded,
)
def named_like_modules(at: Attempt) -> None:
    """Random names of standard and installed modules; by command or by papermill's door."""
    _run(at, tuple(at.rng.sample(NAMES, 40)), os.environ)
