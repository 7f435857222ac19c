"""Standard streams that are always there, as cron jobs and daemons may start us without."""

from __future__ import annotations

import os
import sys


def open_standard_streams() -> None:
    """Open those that are closed on the null device.

    Else the next file that is opened gets the number of one, and what is meant for people would be written into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free, which is this one.
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))  # noqa: SIM115


def drop_output() -> None:
    """Have what could not be printed not be printed again when Python ends, which would replace the exit code."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
