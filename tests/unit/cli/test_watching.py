"""What people see of a run: a bar on a terminal, plain lines anywhere else."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest

RECORD = {
    "version": 1, "run_id": "r", "sequence": 1, "step": "push_image", "state": "intended", "changed": None, "inputs": {},
    "outcome": {}, "error": None, "started_at": "2026-11-24T11:59:59Z", "ended_at": None,
}  # fmt: skip
ENDED = RECORD | {"state": "succeeded", "ended_at": "2026-11-24T12:00:00Z"}
FAILED = RECORD | {"step": "verify", "state": "failed", "ended_at": "2026-11-24T12:00:01Z"}
SCRIPT = f"""
import sys
from ecr_widgets.cli.watching import Watcher
from ecr_widgets.engine.events import RunEvent, RunEventKind

watcher = Watcher(quiet=sys.argv[1:] == ["quiet"])
tell = lambda text, plain="", progress="": watcher(RunEvent(RunEventKind.RECORD, 4, 11, text, plain, progress))
tell({json.dumps(RECORD)!r}, progress="1a: pushing 12.0 MB of 30.0 MB, 3.0 MB/s")
if watcher._bars is not None:
    watcher._bars.refresh()
tell({json.dumps(ENDED)!r}, plain="ok push_image succeeded\\n  digest: 1a")
tell({json.dumps(FAILED)!r}, plain="no verify failed\\n  error: why")
for none in ([], "[]", "{{}}", "no record"):
    tell(none, plain="no record")
watcher.close()
"""


def on_a_terminal(*words: str) -> str:
    """All that a terminal gets, control characters included."""
    ours, theirs = pty.openpty()
    environ = os.environ | {"TERM": "xterm", "COLUMNS": "200"}
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *words], stderr=theirs, stdout=subprocess.DEVNULL, env=environ
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            more = os.read(ours, 65536)
        except OSError:  # the terminal's other side is closed
            break
        if not more:
            break
        shown += more
    os.close(ours)
    assert process.wait() == 0
    return shown.decode()


def test_a_terminal_sees_how_far_a_step_is_and_then_its_outcome() -> None:
    """While it works: step, size and rate beside a bar, which is gone at the end; the outcome stays."""
    shown = on_a_terminal()
    assert "push_image  1a: pushing 12.0 MB of 30.0 MB, 3.0 MB/s" in shown
    assert "━" in shown
    after = shown[shown.rindex("no verify failed") :]
    assert "ok push_image succeeded" in shown
    assert after.rstrip("\r\n").endswith("\x1b[2K")


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        ([], ["ok push_image succeeded", "no verify failed", "  error: why"]),
        (["quiet"], ["no verify failed", "  error: why"]),
    ],
)
def test_a_log_gets_lines_only(words: list[str], lines: list[str]) -> None:
    """No bar and no control characters; a quiet run tells failures alone, and what a cell shows in place of a record is none."""
    command = [sys.executable, "-c", SCRIPT, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == lines
