"""What a terminal shows while steps are running."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress

import pytest

from ecr_widgets.recording.terminal import is_live, make_bars, stop_bars, tell
from tests.on_a_terminal import on_a_terminal

PUSH = """
from datetime import UTC, datetime, timedelta
from ecr_widgets.model.record import StepRecord
from ecr_widgets.ports import Progress
from ecr_widgets.recording.terminal import TerminalSink

began = datetime(2026, 11, 26, tzinfo=UTC)
record = StepRecord.intended("r", 1, "push_image", {"repository": "app"}, began)
view = TerminalSink().open(record)
for layer in range(3):
    view.progress(Progress(f"layer{layer}", "pushing", 0, 10_000_000, "bytes"))
for layer in range(3):
    view.progress(Progress(f"layer{layer}", "pushing", 5_000_000, 10_000_000, "bytes"))
    view._bars.refresh()
view.progress(Progress("layer0", "pushed"))
view._bars.refresh()
view.close(record.succeeded({"digest": "1a"}, changed=True, ended_at=began + timedelta(seconds=2)))
"""


@pytest.mark.parametrize("columns", [60, 80, 100, 200])
def test_a_push_shows_all_layers_together_and_leaves_one_line(columns: int) -> None:
    """A push shows a bar for the total and one for each layer, and leaves one line."""
    shown = on_a_terminal(["-c", PUSH], columns=columns)
    assert shown.exit_code == 0
    assert "push_image  total: 1 of 3 parts, 20.0 MB of 30.0 MB" in shown.raw
    assert "layer2: pushing 5.0 MB of 10.0 MB" in shown.raw
    assert shown.screen == ["✓ push_image succeeded in 2.0 s, changed: true"]


def test_a_terminal_without_colours_gets_none() -> None:
    """With NO_COLOR set, a terminal gets no colours."""
    shown = on_a_terminal(["-c", PUSH], environ={"NO_COLOR": "1"})
    assert "\x1b[32m" not in shown.raw
    assert "\x1b[32m✓" in on_a_terminal(["-c", PUSH]).raw


def test_nobody_draws_once_the_bars_are_gone() -> None:
    """After the bars are stopped, no thread of theirs is left, because one that still writes at exit makes Python abort."""
    before = set(threading.enumerate())
    bars = make_bars()
    bars.start()
    assert set(threading.enumerate()) - before
    stop_bars(bars)
    assert set(threading.enumerate()) <= before


def test_a_terminal_shows_an_error_once() -> None:
    """A terminal shows an error once, below a short record; in a log the record includes the error."""
    script = (
        PUSH.replace(
            'view.close(record.succeeded({"digest": "1a"}, changed=True,',
            'view.close(record.ended_badly(StepState.FAILED, {"message": "no way", "log": ["last words"]},',
        )
        .replace("import StepRecord", "import StepRecord, StepState")
        .replace("view._bars.refresh()", "pass")
    )
    shown = on_a_terminal(["-c", script]).screen
    assert shown[0] == "✗ push_image failed in 2.0 s"
    assert shown[-1] == "  log: last words"
    assert not any("no way" in line for line in shown)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "  error: no way\n" in done.stderr


def test_a_line_that_nobody_reads_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with `2>&1 | head`: a run that ended there would be left in the middle of a change."""
    read, write = os.pipe()
    os.close(read)
    nobody = os.fdopen(write, "w", buffering=1)
    monkeypatch.setattr(sys, "stderr", nobody)
    with pytest.raises(BrokenPipeError):
        print("control", file=sys.stderr)
    tell("✓ login succeeded", None)
    monkeypatch.undo()
    with suppress(BrokenPipeError):
        nobody.close()


def test_a_stream_that_was_closed_is_no_terminal() -> None:
    """Python has none there."""
    assert not is_live(None)
