"""Other people's programs, which have to end: one that does not is killed, with all that it has started."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress


def run_in_time(
    words: Sequence[str],
    *,
    longest_s: float,
    given: bytes = b"",
    environ: Mapping[str, str] | None = None,
    stderr: int = subprocess.PIPE,
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end; it stays in this process's group, as it may ask its user on the terminal.

    Args:
        longest_s: How long it may take, in seconds.

        given: What it reads on standard input.

    Raises:
        subprocess.TimeoutExpired: It took too long, and was killed.

        OSError: It cannot be started.
    """
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, env=environ
    ) as process:
        try:
            out, err = process.communicate(given, timeout=longest_s)
        except BaseException:
            kill_with_children(process)
            raise
    return subprocess.CompletedProcess(words, process.returncode, out, err)


def kill_with_children(process: subprocess.Popen[bytes]) -> None:
    """Kill a program and what it has started."""
    import psutil

    # First its children, while they can be found: they may be what does not end.
    with suppress(psutil.Error):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.Error):
                child.kill()
    process.kill()
    process.wait()
