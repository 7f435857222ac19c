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


def drop_unwritable() -> None:
    """Send stdout and stderr to the null device if they hold text that cannot be written.

    Otherwise Python fails to flush them at exit, and ends with an exit code of its own.
    """
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, number)
            os.close(null)
