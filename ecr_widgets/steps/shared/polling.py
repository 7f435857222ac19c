"""One way to wait for what happens elsewhere: check, pause, check again, with growing pauses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TypeVar

from ecr_widgets.errors import DeployTargetError, EntityNotFound
from ecr_widgets.ports import Clock, Progress, ProgressSink, ignore_progress

T = TypeVar("T")

LONGEST_OUTAGE_S = 120.0
"""How long a deploy target may fail to answer within a wait, in seconds: it, or what is in front of it, may be restarting."""
SHOWS_AFTER_S = 15.0
"""How long, in seconds, something that was just created may be missing: both targets answer from stores that lag behind."""
_SERVER_FAILS = 500
_IS_WAITING = ContextVar("_IS_WAITING", default=False)
FIRST_PAUSE_S, LONGEST_PAUSE_S, PAUSE_FACTOR = 0.1, 5.0, 1.5


def pauses() -> Iterator[float]:
    """Pauses between checks, in seconds; without end."""
    pause_s = FIRST_PAUSE_S
    while True:
        yield pause_s
        pause_s = min(pause_s * PAUSE_FACTOR, LONGEST_PAUSE_S)


def may_pass(error: DeployTargetError) -> bool:
    """Whether a target that failed so may answer a little later."""
    return error.retryable or error.status >= _SERVER_FAILS


def read_in_wait(
    clock: Clock,
    read: Callable[[], T],
    *,
    deadline_s: float,
    missing_until_s: float = 0.0,
    bears: Callable[[DeployTargetError], bool] = may_pass,
    progress: ProgressSink = ignore_progress,
) -> T:
    """Read from a deploy target within a wait, which goes on while the target does not answer for a while.

    Within another such read it reads once: the outer one repeats it, and knows when the wait ends.

    Args:
        deadline_s: When the wait ends, in seconds on the clock's monotonic time.

        missing_until_s: Until when what is read may not be there yet, likewise.

        bears: Whether a failure may be over a little later.

    Raises:
        DeployTargetError: It was refused, is not there, or the target has not answered for too long.
    """
    if _IS_WAITING.get():
        return read()
    began_s = clock.monotonic_s()
    for pause_s in pauses():
        try:
            return _within(read)
        except DeployTargetError as error:
            now_s = clock.monotonic_s()
            is_missing = isinstance(error, EntityNotFound)
            longest_s = LONGEST_OUTAGE_S if bears(error) else 0.0
            until_s = missing_until_s if is_missing else began_s + longest_s
            if now_s >= min(until_s, deadline_s):
                raise
            progress(Progress("wait", f"asking again, since {error.message}"))
            clock.sleep(pause_s)
    raise AssertionError  # the pauses never end


def _within(read: Callable[[], T]) -> T:
    outer = _IS_WAITING.set(True)
    try:
        return read()
    finally:
        _IS_WAITING.reset(outer)
