"""How a command ends as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ecr_widgets.cli.outcome import FAILED, REFUSED, exit_code_of
from ecr_widgets.errors import EngineLost, EngineUnavailable


def test_an_engine_that_is_lost_on_the_way_is_no_refusal() -> None:
    """Without an engine nothing is begun, which is a refusal; an engine that is lost later is a failure."""
    codes = [exit_code_of(error("gone")) for error in (EngineUnavailable, EngineLost)]
    assert codes == [REFUSED, FAILED]


def test_a_command_ends_without_a_search_for_garbage() -> None:
    """When Python ends, no object is left for it to search."""
    code = (
        "import atexit, gc\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 1000))\n"
        "from ecr_widgets.cli import main\n"
        "main(['--version'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True"


def test_what_python_itself_is_told_changes_no_command(tmp_path: Path) -> None:
    """With PYTHONINSPECT, which stays after the end, and with warnings as errors, exit codes and output are the same."""
    program = Path(sys.executable).with_name("ecr-widgets")
    for words, code in ((["runbooks"], 0), (["run", "./none"], 2)):
        ends = {
            (done.returncode, done.stdout, done.stderr)
            for given in ({}, {"PYTHONINSPECT": "1"}, {"PYTHONWARNINGS": "error"})
            for done in (
                subprocess.run(
                    [program, *words],
                    env={**os.environ, **given},
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    check=False,
                    cwd=tmp_path,
                ),
            )
        }
        assert len(ends) == 1, ends
        assert ends.pop()[0] == code
