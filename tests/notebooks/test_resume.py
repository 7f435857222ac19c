"""Runs resumed from a folder, as they were sealed or as a kill left them."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.faults import forked
from tests.hosts import BIN
from tests.notebooks.engine_runs import write_runbook

pytestmark = pytest.mark.usefixtures("forked_kernels")

COUNT = "open('count', 'a').write('x')"
FAIL_OR_WAIT = """
import os, time
open('go').close()
while not os.path.exists('end'): time.sleep(0.05)
"""


def command(folder: Path, *words: str) -> subprocess.Popen[str]:
    return forked.start(
        [BIN / "ecr-widgets", "run", *words, "--json"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told(folder: Path, *words: str, code: int = 0) -> Any:
    process = command(folder, *words)
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, out + err
    return json.loads(out)


def test_a_run_that_was_changed_since_it_was_sealed_is_not_resumed(tmp_path: Path) -> None:
    """A run changed since it was sealed is not resumed; as sealed, or saved again by another tool, it is."""
    write_runbook(tmp_path, [COUNT, "open('go').close()"])
    failed = told(tmp_path, "book.ipynb", code=1)
    path = tmp_path / failed["notebook"]
    content = path.read_text()
    path.write_text(content.replace(COUNT, COUNT.replace("'x'", "'!'")))
    refused = told(tmp_path, "--resume", failed["run_id"], code=2)
    assert "was changed since it was sealed" in refused["reason"]
    assert "audit verify" in refused["reason"]
    assert (tmp_path / "count").read_text() == "x"
    path.write_text(json.dumps(json.loads(content)))
    (tmp_path / "go").touch()
    assert told(tmp_path, "--resume", failed["run_id"])["state"] == "succeeded"
    assert (tmp_path / "count").read_text() == "xx"


def test_a_run_that_was_killed_while_it_was_resumed_is_resumed_again(tmp_path: Path) -> None:
    """A run that was killed while it was being resumed can be resumed again, and lists both attempts."""
    write_runbook(tmp_path, [COUNT, FAIL_OR_WAIT])
    failed = told(tmp_path, "book.ipynb", code=1)
    (tmp_path / "go").touch()
    process = command(tmp_path, "--resume", failed["run_id"])
    deadline_s = time.monotonic() + 60
    while (tmp_path / "count").read_text() != "xx":
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (tmp_path / "end").touch()
    assert told(tmp_path, "--resume", failed["run_id"])["state"] == "succeeded"
    run = json.loads((tmp_path / failed["notebook"]).read_text())["metadata"]["ecr_widgets"]
    assert [attempt["state"] for attempt in run["attempts"]] == ["failed", "interrupted"]
