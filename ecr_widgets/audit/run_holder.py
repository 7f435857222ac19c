"""Whether somebody runs a run right now: its lock is held by a live process."""

from __future__ import annotations

from pathlib import Path

from ecr_widgets import locks


def is_held(path: Path) -> bool:
    """True while a process holds the lock beside the saved run, or another user's may; the lock's name is the engine's.

    On another host's copy of the folder there is no lock, so a run that calls itself running was interrupted.
    """
    return locks.is_held(locks.lock_of(path))
