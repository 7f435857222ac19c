"""One run at a time on one target: locks, and the leases that they hand out."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class Lease(Protocol):
    """A target that was taken, and may be lost again while its holder sleeps."""

    @property
    def is_held(self) -> bool:
        """Whether nobody else can hold the target now; whoever keeps the leases is asked where that is in doubt."""
        ...

    @property
    def lost_to(self) -> str:
        """Who holds the target where it is lost: the run, its host and since when, or why that is not known."""
        ...


class Locks(Protocol):
    """One run at a time on one target."""

    def hold(self, target: str) -> AbstractContextManager[Lease]:
        """Hold the target, at least within the context; again within it is free.

        Raises:
            TargetBusy: Another run holds it, and went on doing so as long as was waited.
        """
        ...


class AlwaysHeld:
    """A `Lease` that cannot be lost: the operating system keeps it as long as its holder lives."""

    is_held = True
    lost_to = ""
