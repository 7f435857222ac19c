"""What a terminal shows while steps are at work."""

from __future__ import annotations

import threading

from ecr_widgets.recording.terminal import make_bars, stop_bars


def test_nobody_draws_once_the_bars_are_gone() -> None:
    """A thread that still writes when Python ends makes it abort, whatever the exit code was to be."""
    before = set(threading.enumerate())
    bars = make_bars()
    bars.start()
    assert set(threading.enumerate()) - before
    stop_bars(bars)
    assert set(threading.enumerate()) <= before
