"""Whether somebody runs a run right now: its lock is held by a live process."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def is_held(path: Path) -> bool:
    """True while a process holds the lock beside the saved run; the lock's name is the engine's.

    On another host's copy of the folder there is no lock, so a run that calls itself running was interrupted.
    """
    try:
        handle = os.open(
            path.with_name(f".{path.name}.lock"), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        )
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False
