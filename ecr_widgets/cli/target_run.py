"""Our command as a fleet starts it for one target: it ends when its starter ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Run `ecr-widgets` with the arguments after the starter's process id; only Linux ends it with the starter."""
    starter = int(sys.argv.pop(1))
    call = getattr(ctypes.CDLL(None), "prctl", None)
    if call is not None:
        # The signal that a scheduler sends to stop a job: the run is saved and sealed as interrupted.
        call(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != starter:
            os._exit(1)
    from ecr_widgets.cli import main as ecr_widgets

    ecr_widgets(prog_name="ecr-widgets")
