"""A run's progress: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.on_a_terminal import on_a_terminal

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
MANY_STEPS = f"""
import json
from ecr_widgets.cli.watching import Watcher
from ecr_widgets.engine.events import RunEvent, RunEventKind

watcher = Watcher(quiet=False)
record, ended = json.loads({json.dumps(RECORD)!r}), json.loads({json.dumps(ENDED)!r})
for at in range(10):
    step = f"step_{{at}}"
    far = "total: 2 of 3 parts, 12.0 MB of 30.0 MB, 3.0 MB/s, 6 s left"
    tell = lambda text, plain="", progress="", share=None: watcher(
        RunEvent(RunEventKind.RECORD, at + 1, 11, json.dumps(text), plain, progress, share=share))
    tell(record | {{"step": step}})
    watcher._bars.refresh()
    tell(record | {{"step": step}}, progress=far, share=0.4)
    watcher._bars.refresh()
    tell(ended | {{"step": step}}, plain=f"✓ {{step}} succeeded in 0.{{at}} s, changed: true\\n  digest: 1a")
watcher.close()
"""


def test_a_terminal_sees_how_far_a_step_is_and_then_its_outcome() -> None:
    """A terminal shows a step's progress beside a bar; at the end only the outcome remains."""
    shown = on_a_terminal(["-c", SCRIPT], columns=200)
    assert shown.exit_code == 0
    assert "push_image  1a: pushing 12.0 MB of 30.0 MB, 3.0 MB/s" in shown.raw
    assert "━" in shown.raw
    assert shown.screen == ["ok push_image succeeded", "no verify failed", "  error: why"]


@pytest.mark.parametrize("columns", [60, 80, 100, 200])
def test_what_stays_on_a_terminal_is_the_steps_each_on_its_own_line(columns: int) -> None:
    """At any width, only the steps' outcomes remain on the terminal, each on its own line without remains of a bar."""
    shown = on_a_terminal(["-c", MANY_STEPS], columns=columns)
    assert shown.exit_code == 0
    assert "cell 7 of 11" in shown.raw
    assert shown.screen == [f"✓ step_{each} succeeded in 0.{each} s, changed: true" for each in range(10)]
    assert "━" in shown.raw


def test_no_line_is_erased_by_a_bar_that_is_drawn_at_the_same_moment() -> None:
    """No outcome line is erased when bars are drawn often and change at the same time."""
    script = MANY_STEPS.replace(
        "quiet=False)",
        "quiet=False); watcher._bars.live._refresh_thread.refresh_per_second = 2000; import time",
    ).replace("for at in range(10):", "for at in range(100):\n    time.sleep(0.002)")
    shown = on_a_terminal(["-c", script], columns=80)
    assert shown.screen == [f"✓ step_{each} succeeded in 0.{each} s, changed: true" for each in range(100)]


def test_a_terminal_that_draws_nothing_again_gets_lines_only() -> None:
    """With TERM=dumb only plain lines are printed, without bars or control characters."""
    shown = on_a_terminal(["-c", SCRIPT], environ={"TERM": "dumb"})
    assert shown.raw.split("\r\n") == ["ok push_image succeeded", "no verify failed", "  error: why", ""]


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        ([], ["ok push_image succeeded", "no verify failed", "  error: why"]),
        (["quiet"], ["no verify failed", "  error: why"]),
    ],
)
def test_a_log_gets_lines_only(words: list[str], lines: list[str]) -> None:
    """A pipe gets plain lines only; --quiet prints failures only, and an invalid record is not printed."""
    command = [sys.executable, "-c", SCRIPT, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == lines
