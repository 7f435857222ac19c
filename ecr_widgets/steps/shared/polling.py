"""One way to wait for what happens elsewhere: check, pause, check again, with growing pauses."""

from __future__ import annotations

from collections.abc import Iterator

FIRST_PAUSE_S, LONGEST_PAUSE_S, PAUSE_FACTOR = 0.1, 5.0, 1.5


def pauses() -> Iterator[float]:
    """Pauses between checks, in seconds; without end."""
    pause_s = FIRST_PAUSE_S
    while True:
        yield pause_s
        pause_s = min(pause_s * PAUSE_FACTOR, LONGEST_PAUSE_S)
