"""The one loop for everything that has to be polled."""

from __future__ import annotations

import time
from collections.abc import Callable

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.005, 0.1


def wait_until(is_so: Callable[[], bool], *, timeout_s: float) -> bool:
    """Poll with growing pauses until it is so; False if that takes too long."""
    deadline, pause_s = time.monotonic() + timeout_s, _FIRST_PAUSE_S
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause_s)
        pause_s = min(1.5 * pause_s, _LONGEST_PAUSE_S)
    return True
