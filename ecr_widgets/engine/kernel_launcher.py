"""What the engine starts as its kernel: ipykernel, with a guard beside it that ends all of it when the engine dies.

Run as `python -m ecr_widgets.engine.kernel_launcher -f CONNECTION_FILE` in a session of its own, with a pipe as standard
input whose other end only the engine holds. However the engine ends, the pipe then closes, and the guard kills the whole
process group: the kernel and whatever its cells started. Imports as little as possible before ipykernel.
"""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Leave the guard behind, then become the kernel."""
    # Twice removed, so that the guard is no child of the kernel, which ends its children one by one when it shuts down.
    between = os.fork()
    if between == 0:
        if os.fork() == 0:
            _guard()
        os._exit(0)
    os.waitpid(between, 0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    from ipykernel.kernelapp import IPKernelApp

    # History would keep what cells hold in a file outside the run.
    IPKernelApp.launch_instance(argv=[*sys.argv[1:], "--HistoryManager.hist_file=:memory:"])


def _guard() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 1):
        pass
    import shutil

    # What the engine would have removed: the folder with the connection file and the private line.
    shutil.rmtree(os.path.dirname(sys.argv[-1]), ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
