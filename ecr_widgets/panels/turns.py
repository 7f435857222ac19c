"""One piece of work at a time, and what happens to it when a person asks to stop."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock


@dataclass(eq=False, slots=True)
class Work:
    """What was begun and has not ended."""

    what: str
    only_looks: bool
    """Whether it changes nothing outside, so that nothing needs to wait for its end."""
    cancelled: bool = False


class Turns:
    """Who is at work. Safe to ask from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._work: Work | None = None

    @property
    def status(self) -> str:
        """What is under way, for people; empty where nothing is."""
        work = self._work
        if work is None:
            return ""
        return f"{work.what}: cancelling" if work.cancelled else work.what

    def begin(self, what: str, *, only_looks: bool = False) -> Work | None:
        """Begin, unless something else is under way."""
        with self._lock:
            if self._work is not None:
                return None
            self._work = Work(what, only_looks)
            return self._work

    def end(self, work: Work) -> bool:
        """Let others begin; False where it was left to itself before."""
        with self._lock:
            if self._work is not work:
                return False
            self._work = None
            return True

    def cancel(self) -> Work | None:
        """Ask to stop what is running. A look is abandoned, and other work may begin immediately."""
        with self._lock:
            work = self._work
            if work is not None:
                work.cancelled = True
                if work.only_looks:
                    self._work = None
            return work
