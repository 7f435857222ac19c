"""The process that the engine starts: a guard with ipykernel as its child, which ends everything with the kernel or engine.

Run with `-f CONNECTION_FILE` in its own session, with a pipe as standard input whose other end only the engine holds.
However the engine ends, the pipe then closes, and the guard kills the kernel and whatever its cells started, even in other
sessions. The guard ends as the kernel did: with its exit code, or by its signal. Imports as little as possible before ipykernel.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
import time

from ecr_widgets.channel import ADDRESS_VARIABLE

WHY_NOT_STARTED = "why-not-started"
"""Name of the file beside the connection file that says why a kernel could not start."""
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LONGEST_END_S = 2.0


def main() -> None:
    """Become the guard, with the kernel as its child."""
    # From now on orphaned descendants become our children, so none escapes. Only Linux has this.
    adopts = _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    guard = os.getpid()
    kernel = os.fork()
    if kernel:
        _guard(kernel, adopts=adopts)
    # Its own process group, so that a cell that signals its group does not hit the guard.
    os.setsid()
    dies_with_guard = _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != guard:
        os._exit(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    try:
        # Imported only here, since the guard does not need it.
        from ecr_widgets.engine.run_kernel import become_kernel

        become_kernel(parent=None if dies_with_guard else guard)
    except Exception as error:
        # Nobody reads what the kernel prints before it is connected.
        from pathlib import Path

        with contextlib.suppress(OSError):
            # Leaves a number for the file where this process may open no more.
            os.close(0)
            Path(_run_folder(), WHY_NOT_STARTED).write_text(f"{type(error).__name__}: {error}")
        raise


def _run_folder() -> str:
    return os.path.dirname(sys.argv[-1])


def _guard(kernel: int, *, adopts: bool) -> None:
    """Wait until the kernel or the engine ends, kill what is left, and exit in the same way."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGINT, lambda *_: _signal_group(kernel, signal.SIGINT))
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    status = _reap(kernel)
    while status is None:
        ready, _, _ = select.select([0, ended], [], [])
        if ended in ready:
            os.read(ended, 4096)
        if 0 in ready and not os.read(0, 4096):
            _signal_group(kernel, signal.SIGKILL)
            _end_children(adopts=adopts)
            # The engine would have removed this: the folder with the connection file and the private line.
            import shutil

            shutil.rmtree(_run_folder(), ignore_errors=True)
            os._exit(1)
        status = _reap(kernel)
    _end_children(adopts=adopts)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        import resource

        # No core file of the guard: the kernel's own is the useful one.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if -code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def _reap(kernel: int) -> int | None:
    """Reap children that have ended; return the kernel's status if it is one of them, else None."""
    kernel_status = None
    try:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return kernel_status
            if pid == kernel:
                kernel_status = status
    except ChildProcessError:
        return kernel_status


def _end_children(*, adopts: bool) -> None:
    """Kill our children until none are left: orphans become our children, or else are found by their variable."""
    if not adopts:
        from ecr_widgets.engine.orphans import end_processes_with

        end_processes_with(ADDRESS_VARIABLE, os.environ[ADDRESS_VARIABLE])
    deadline_s = time.monotonic() + _LONGEST_END_S
    # With a deadline: another user's process, by way of sudo, and one that waits for a broken disk cannot be killed.
    while time.monotonic() < deadline_s:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        for pid in _children():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        select.select([], [], [], 0.005)


def _children() -> list[int]:
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        return [child.pid for child in psutil.Process().children()]
    return []


def _signal_group(leader: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def _prctl(option: int, value: int) -> bool:
    """Call Linux's prctl; False if it fails or does not exist."""
    call = getattr(ctypes.CDLL(None), "prctl", None)
    return call is not None and call(option, value, 0, 0, 0) == 0
