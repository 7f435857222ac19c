"""Commands that are started without standard streams, or whose output cannot be written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ecr_widgets.cli.standard_streams import open_standard_streams

OURS = [sys.executable, "-c", "from ecr_widgets.cli import main; main()"]


def ours(*words: str, redirected: str, unbuffered: bool = False) -> subprocess.CompletedProcess[str]:
    """Run the command with streams as a shell redirects them."""
    script = f'exec "$@" {redirected}'
    environ = os.environ | {"PYTHONUNBUFFERED": "1" if unbuffered else ""}
    return subprocess.run(
        ["sh", "-c", script, "sh", *OURS, *words], capture_output=True, text=True, check=False, env=environ
    )


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_a_closed_stream_is_opened_on_the_null_device(closed: tuple[int, ...]) -> None:
    """Else the next file that is opened would get its number, and what is meant for people."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for number in closed:
                os.close(number)
                setattr(sys, ("stdin", "stdout", "stderr")[number], None)
            open_standard_streams()
            null = Path(os.devnull).stat().st_rdev
            streams = (sys.stdin, sys.stdout, sys.stderr)
            good = all(os.fstat(number).st_rdev == null and streams[number] for number in closed)
            code = 0 if good else 1
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_command_without_stderr_ends_as_with_it(tmp_path: Path) -> None:
    """As cron jobs and daemons start it: results and exit codes are the same."""
    words = ["audit", "list", "--runs", str(tmp_path), "--json"]
    assert ours(*words, redirected="<&- 2>&-").stdout == ours(*words, redirected="").stdout == "[]\n"
    assert ours("run", "nobody", redirected="2>&-").returncode == 2


@pytest.mark.parametrize("unbuffered", [True, False])
@pytest.mark.parametrize(
    "words", [("--help",), ("runbooks",), ("runbooks", "--json"), ("run", "nobody", "--json")]
)
def test_a_result_that_cannot_be_written_is_said_in_one_line(
    words: tuple[str, ...], *, unbuffered: bool
) -> None:
    """A command whose stdout is on a full disk fails, and says so once."""
    done = ours(*words, redirected=">/dev/full", unbuffered=unbuffered)
    assert done.returncode == (2 if "nobody" in words else 1)
    assert done.stderr.startswith("ecr-widgets: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("unbuffered", [True, False])
def test_an_error_that_cannot_be_written_keeps_its_exit_code(*, unbuffered: bool) -> None:
    """A command whose stderr is on a full disk ends with the same exit code as otherwise."""
    assert ours("run", "nobody", redirected="2>/dev/full", unbuffered=unbuffered).returncode == 2
