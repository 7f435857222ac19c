"""Files that are locked as long as something is at work, and gone once it is done."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path


def hold_file(lock: Path, *, patience_s: float = 0.0) -> int | None:
    """Take the lock and keep it until the handle is closed; None where somebody else has it.

    Whoever is done removes the file first, and then closes the handle.

    Args:
        patience_s: How long to try, where others hold it for an instant only to look whether somebody does.

    Raises:
        OSError: The file cannot be made or opened.
    """
    deadline_s = time.monotonic() + patience_s
    while True:
        held = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it before has removed the file when it was done; then this is no lock any more.
            with contextlib.suppress(FileNotFoundError):
                if lock.stat().st_ino == os.fstat(held).st_ino:
                    return held
        except BlockingIOError:
            if time.monotonic() >= deadline_s:
                os.close(held)
                return None
            time.sleep(0.01)
        except BaseException:
            os.close(held)
            raise
        os.close(held)
