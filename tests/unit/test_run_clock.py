"""The time in a run."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ecr_widgets.channel import ADDRESS_VARIABLE, CLOCK_VARIABLE
from ecr_widgets.run_clock import _RunClock


@pytest.mark.parametrize("hours", [-24, 1])
def test_a_clock_that_is_set_in_a_run_does_not_move_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """Between two moments of a run lies what has passed, in the engine and in its kernel, however the clock is set."""
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000.0)
    clock = _RunClock({})
    clock.begin()
    first = clock.now()
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000.0 + hours * 3600)
    (tmp_path / "line").touch()
    of_kernel = _RunClock({ADDRESS_VARIABLE: str(tmp_path / "line"), **clock.for_kernel()})
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


def test_a_time_left_over_from_another_run_does_not_count(tmp_path: Path) -> None:
    """If the run that set the variable has ended, or the variable was made up, time is the machine's."""
    left_over = _RunClock({CLOCK_VARIABLE: "0", ADDRESS_VARIABLE: str(tmp_path / "gone")})
    for clock in (left_over, _RunClock({CLOCK_VARIABLE: "made up"})):
        assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=10)
