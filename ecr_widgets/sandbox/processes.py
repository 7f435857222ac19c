"""Finds programs, and identifies processes so that a reused pid is never mistaken for one of ours.

Linux only.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TOOL_PATH = os.pathsep.join(
    filter(None, [os.environ.get("PATH"), "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"])
)
"""Where to look for tools: PATH, then the folders that a root shell searches and a user's may not."""


def find_tool(name: str) -> str | None:
    """Find a program; None if it is not installed."""
    return shutil.which(name, path=TOOL_PATH)


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """Identifies one process, and never another, for as long as this machine is up.

    `started_ticks` is the kernel's start time in clock ticks since boot.
    """

    pid: int
    started_ticks: int
    boot_id: str

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity | None:
        """Identify the process that has the pid now; None if there is none or it is a zombie."""
        fields = _stat(pid)
        if fields is None or fields[0] in ("Z", "X"):
            return None
        return cls(pid, int(fields[19]), _boot_id())

    def alive(self) -> bool:
        """Whether this same process is still running."""
        return ProcessIdentity.of(self.pid) == self

    def send(self, number: signal.Signals) -> None:
        """Send a signal to this same process; does nothing if it is gone."""
        handle = self._open()
        if handle is None:
            return
        try:
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return
        finally:
            os.close(handle)

    def wait(self, timeout_s: float) -> bool:
        """Wait for it to end.

        Returns:
            Whether it ended in time.
        """
        handle = self._open()
        if handle is None:
            return True
        try:
            poll = select.poll()
            poll.register(handle, select.POLLIN)
            return bool(poll.poll(timeout_s * 1000))
        finally:
            os.close(handle)

    def _open(self) -> int | None:
        try:
            handle = os.pidfd_open(self.pid)
        except (ProcessLookupError, ValueError):
            return None
        # Check after opening: from here on the handle cannot refer to another process. A zombie is opened too:
        # other threads of it may still be ending, with their files and locks, and the handle waits for them.
        fields = _stat(self.pid)
        if fields is None or (int(fields[19]), _boot_id()) != (self.started_ticks, self.boot_id):
            os.close(handle)
            return None
        return handle


def child_of(pid: int) -> ProcessIdentity | None:
    """Identify one child of a process; None if it has none."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields is not None and int(fields[1]) == pid:
                return ProcessIdentity.of(int(entry.name))
    return None


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The command's name may contain spaces and brackets; after the last bracket come state, ppid, ...
    return text.rpartition(")")[2].split()


@cache
def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
