"""Standard streams: opened if a cron job or daemon started us without them, dropped if they cannot be written."""

from __future__ import annotations

import os
import sys


def open_standard_streams() -> None:
    """Open closed standard streams on the null device.

    Otherwise the next file that is opened would get such a stream's number, and messages would be written into that file.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # It gets the lowest free number, which is this one.
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))  # noqa: SIM115


def drop_output() -> None:
    """Send stdout to the null device, so that Python does not fail again when it flushes it at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
