"""One piece of work at a time, and what happens to it when a person asks to stop."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock


@dataclass(eq=False, slots=True)
class Work:
    """Work that was begun and has not ended."""

    what: str
    only_looks: bool
    """Whether it changes nothing, so that nothing has to wait for its end."""
    cancelled: bool = False


class Turns:
    """What is being worked on. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._work: Work | None = None

    @property
    def status(self) -> str:
        """What is running, for people; empty if nothing is."""
        work = self._work
        if work is None:
            return ""
        return f"{work.what}: cancelling" if work.cancelled else work.what

    def begin(self, what: str, *, only_looks: bool = False) -> Work | None:
        """Begin, unless something else is running; then None."""
        with self._lock:
            if self._work is not None:
                return None
            self._work = Work(what, only_looks)
            return self._work

    def end(self, work: Work) -> bool:
        """Let others begin; False if the work was abandoned before."""
        with self._lock:
            if self._work is not work:
                return False
            self._work = None
            return True

    def cancel(self) -> Work | None:
        """Ask to stop what is running. Work that only looks is abandoned, and other work may begin immediately."""
        with self._lock:
            work = self._work
            if work is not None:
                work.cancelled = True
                if work.only_looks:
                    self._work = None
            return work
