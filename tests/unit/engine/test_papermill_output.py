"""A run's output in papermill's log and files."""

from __future__ import annotations

import io
import logging

import pytest

from ecr_widgets.engine.events import RunEvent, RunEventKind
from ecr_widgets.engine.papermill_output import OutputLog
from ecr_widgets.secrets.redaction import SecretRegistry

SECRET = "canary-4711-of-the-log"


def stream(text: str, name: str = "stdout") -> RunEvent:
    return RunEvent(RunEventKind.STREAM, 1, 1, text, name=name)


ENDED = RunEvent(RunEventKind.CELL_ENDED, 1, 1, place=2)


@pytest.mark.parametrize("at", range(1, len(SECRET)))
def test_a_secret_in_two_pieces_is_in_neither_log_nor_file(at: int, caplog: pytest.LogCaptureFixture) -> None:
    """A secret that is split over two messages appears in neither the log nor the file."""
    caplog.set_level(logging.INFO, logger="papermill")
    known, file = SecretRegistry(), io.StringIO()
    known.register(SECRET)
    log = OutputLog(known, log=True, files={"stdout": file})
    for event in (stream("before "), stream(SECRET[:at]), stream(SECRET[at:] + " after\n"), ENDED):
        log(event)
    assert file.getvalue() == "before *** after\n"
    assert "canary" not in caplog.text
    assert "of-the-log" not in caplog.text
    assert "before *** after\n" in "".join(record.getMessage() for record in caplog.records)


def test_each_stream_has_its_file_and_stderr_warns(caplog: pytest.LogCaptureFixture) -> None:
    """stdout and stderr go to their own files; stderr is logged as warnings and displays as text."""
    caplog.set_level(logging.INFO, logger="papermill")
    out, err = io.StringIO(), io.StringIO()
    log = OutputLog(SecretRegistry(), log=True, files={"stdout": out, "stderr": err})
    log(RunEvent(RunEventKind.CELL_STARTED, 1, 1, place=2))
    log(stream("a\n"))
    log(stream("b\n", "stderr"))
    log(RunEvent(RunEventKind.DISPLAY, 1, 1, plain="shown"))
    log(ENDED)
    assert (out.getvalue(), err.getvalue()) == ("a\n", "b\n")
    told = [(record.levelname, record.getMessage().rstrip("-\n")) for record in caplog.records]
    assert told == [
        ("INFO", "Executing Cell 2"), ("INFO", "a"), ("WARNING", "b"), ("INFO", "shown"), ("INFO", "Ending Cell 2"),
    ]  # fmt: skip


def test_a_file_that_is_full_stops_no_run(caplog: pytest.LogCaptureFixture) -> None:
    """A full output file does not stop the run and is reported once."""

    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(28, "No space left on device")

    log = OutputLog(SecretRegistry(), log=False, files={"stdout": Full()})
    log(stream("a\n"))
    log(stream("b\n"))
    assert [
        record.getMessage() for record in caplog.records if "cannot be written" in record.getMessage()
    ] == ["The file for stdout cannot be written any more: [Errno 28] No space left on device"]
