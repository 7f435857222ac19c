"""Programs found, and processes named so that a pid given out again to a stranger is never taken for ours.

Depends on Linux only.
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
"""Where tools are looked for: PATH, then where a root shell would look and a user's may not."""


def find_tool(name: str) -> str | None:
    """Find a program, None where it is not installed."""
    return shutil.which(name, path=TOOL_PATH)


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process for as long as this machine is up, and never another.

    `started_ticks` is the kernel's start time in clock ticks since boot.
    """

    pid: int
    started_ticks: int
    boot_id: str

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity | None:
        """Name the process that has the pid now, None where there is none or it is a zombie."""
        fields = _stat(pid)
        if fields is None or fields[0] in ("Z", "X"):
            return None
        return cls(pid, int(fields[19]), _boot_id())

    def alive(self) -> bool:
        """Whether this very process still runs."""
        return ProcessIdentity.of(self.pid) == self

    def send(self, number: signal.Signals) -> None:
        """Send a signal to this very process; nothing happens where it is gone."""
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
        """Wait for its end.

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
        # Looked at after opening: from here on the handle cannot come to mean another process. A zombie is opened
        # too, as other threads of it may still be ending, with their files and locks; the handle knows.
        fields = _stat(self.pid)
        if fields is None or (int(fields[19]), _boot_id()) != (self.started_ticks, self.boot_id):
            os.close(handle)
            return None
        return handle


def child_of(pid: int) -> ProcessIdentity | None:
    """Name one child of a process, None where it has none."""
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
    # The command's name may hold spaces and brackets; what follows the last bracket is state, ppid, ...
    return text.rpartition(")")[2].split()


@cache
def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
