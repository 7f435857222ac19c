"""One run at a time on one target: locks, and the leases that they hand out."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class Lease(Protocol):
    """A held target, which may be lost while its holder sleeps."""

    @property
    def is_held(self) -> bool:
        """Whether nobody else can hold the target now; if in doubt, this asks the store of leases."""

    @property
    def lost_to(self) -> str:
        """Who holds the target if it is lost: the run, its host and since when, or why that is not known."""


class Locks(Protocol):
    """One run at a time on one target."""

    def hold(self, target: str) -> AbstractContextManager[Lease]:
        """Hold the target, at least within the context; a nested hold of the same target always succeeds.

        Raises:
            TargetBusy: Another run holds it, and kept it for as long as this call waits.
        """


class AlwaysHeld:
    """A `Lease` that cannot be lost: the operating system keeps it as long as its holder lives."""

    is_held = True
    lost_to = ""
