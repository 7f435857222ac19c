"""Processes that a kernel's guard would have ended, for when the guard itself was killed."""

from __future__ import annotations

import contextlib
import os
import signal
import time

_LONGEST_END_S = 2.0
_BETWEEN_LOOKS_S = 0.005


def end_processes_with(variable: str, value: str) -> None:
    """Kill all processes that were started with this variable in their environment, until none are left.

    Other users' processes cannot be killed, and those started with another environment are not found.
    """
    deadline_s = time.monotonic() + _LONGEST_END_S
    # A killed process may just have started another.
    while (found := _with(variable, value)) and time.monotonic() < deadline_s:
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_BETWEEN_LOOKS_S)


def _with(variable: str, value: str) -> list[int]:
    import psutil

    pids = []
    with contextlib.suppress(psutil.Error, OSError):
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.pid != os.getpid() and process.environ().get(variable) == value:
                    pids.append(process.pid)
    return pids
