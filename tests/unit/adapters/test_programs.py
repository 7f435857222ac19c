"""Programs that have to end."""

from __future__ import annotations

import subprocess

import psutil
import pytest

from ecr_widgets.adapters.programs import kill_with_children, run_in_time
from ecr_widgets.sandbox.polling import wait_until


def test_a_program_gets_its_input_and_gives_its_output() -> None:
    """A program reads what it is given, and its output and exit code come back."""
    done = run_in_time(["sh", "-c", "cat; echo bad >&2; exit 3"], longest_s=60, given=b"in")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"in", b"bad\n")


def test_a_program_that_does_not_end_is_killed() -> None:
    """A program that takes too long is an error."""
    with pytest.raises(subprocess.TimeoutExpired):
        run_in_time(["sleep", "600"], longest_s=0.05)


def test_what_it_has_started_is_killed_with_it() -> None:
    """What a program has started ends with it, such as a credential helper below docker."""
    with subprocess.Popen(["sh", "-c", "sleep 600 & echo $!; wait"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        started = psutil.Process(int(process.stdout.readline()))
        kill_with_children(process)
    assert wait_until(lambda: _has_ended(started), timeout_s=60)


def _has_ended(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
