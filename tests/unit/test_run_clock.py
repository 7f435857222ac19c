"""The time in a run."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from ecr_widgets.run_clock import _RunClock


@pytest.mark.parametrize("hours", [-24, 1])
def test_a_clock_that_is_set_in_a_run_does_not_move_its_time(
    monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """Between two moments of a run lies what has passed, in the engine and in its kernel, however the clock is set."""
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000.0)
    clock = _RunClock({})
    clock.begin()
    first = clock.now()
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000.0 + hours * 3600)
    of_kernel = _RunClock(clock.for_kernel())
    assert first <= of_kernel.now() <= clock.now() < first + timedelta(minutes=10)
    assert abs(first - datetime.fromtimestamp(1_800_000_000, UTC)) < timedelta(minutes=10)


def test_outside_a_run_time_is_the_machines() -> None:
    """Before a run and after its end, the machine's own time counts."""
    clock = _RunClock({})
    for _ in range(2):
        assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=10)
        assert clock.for_kernel() == {}
        clock.begin()
        clock.end()
