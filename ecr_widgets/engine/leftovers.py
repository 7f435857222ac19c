"""What a kernel's guard would have ended, where something has killed the guard itself."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

_LONGEST_END_S = 2.0
_BETWEEN_LOOKS_S = 0.005


def end_processes_with(variable: str, value: str) -> None:
    """Kill all processes that were started with this variable in their environment, until there are none.

    Another user's are not ours to end; nor is one seen that was started with another environment.
    """
    mark = os.fsencode(f"{variable}={value}")
    deadline_s = time.monotonic() + _LONGEST_END_S
    # A process that is killed may just have started another.
    while (found := _with(mark)) and time.monotonic() < deadline_s:
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_BETWEEN_LOOKS_S)


def _with(mark: bytes) -> list[int]:
    found = []
    for about in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in about.read_bytes().split(b"\0"):
                found.append(int(about.parent.name))
    return found
