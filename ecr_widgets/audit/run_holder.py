"""Whether a run is currently running: a live process holds its lock."""

from __future__ import annotations

from pathlib import Path

from ecr_widgets import locks


def is_held(path: Path) -> bool:
    """True while a process holds the lock next to the saved run, or another user's process may; the engine names the lock.

    In a copy of the folder on another host there is no lock, so a run that says it is running was interrupted.
    """
    return locks.is_held(locks.lock_of(path))
