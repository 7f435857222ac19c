"""What the engine starts as its kernel: ipykernel that dies with its parent.

Run as `python -m ecr_widgets.engine.kernel_launcher -f CONNECTION_FILE`. Imports as little as possible before ipykernel.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent's life, then become the kernel."""
    parent = int(sys.argv.pop())
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have died before the tie was made.
    if os.getppid() != parent:
        sys.exit(1)
    from ipykernel.kernelapp import IPKernelApp

    # History would keep what cells hold in a file outside the run.
    IPKernelApp.launch_instance(argv=[*sys.argv[1:], "--HistoryManager.hist_file=:memory:"])


if __name__ == "__main__":
    main()
