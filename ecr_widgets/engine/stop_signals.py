"""The signals that stop a run, as an exception, so that the run's end is recorded."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator


class Interrupted(BaseException):
    """A signal asked the run to stop. Not an Exception, so that no handler swallows it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Stop:
    """The signal that asked to stop, if one did.

    It is raised where it arrives, and also kept: asyncio, which the kernel's client uses, swallows what is raised inside
    its callbacks, and so do finalizers.
    """

    def __init__(self) -> None:
        self._number: int | None = None

    def __call__(self, number: int, _: object) -> None:
        """Handle a signal."""
        self._number = number
        raise Interrupted(number)

    def check(self) -> None:
        """Raise again a signal that may have been swallowed.

        Raises:
            Interrupted: A signal came.
        """
        if self._number is not None:
            raise Interrupted(self._number)


@contextlib.contextmanager
def signals_raise() -> Iterator[Stop]:
    """Turn the signals that stop a scheduled job into an exception, so that the run's end is recorded."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    before = {
        number: signal.signal(number, stop)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        # A signal that `nohup` or the like ignores must not stop the run.
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
