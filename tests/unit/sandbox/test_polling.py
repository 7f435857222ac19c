"""Waiting by polling."""

from __future__ import annotations

import pytest

from ecr_widgets.sandbox import polling


class Clock:
    """Time that passes only during pauses."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, pause_s: float) -> None:
        self.now_s += pause_s
        self.pauses.append(pause_s)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that the polling loop uses."""
    made = Clock()
    monkeypatch.setattr(polling, "time", made)
    return made


def test_what_is_so_is_not_waited_for(clock: Clock) -> None:
    """If the condition is true at once, there is no pause."""
    assert polling.wait_until(lambda: True, timeout_s=0)
    assert clock.pauses == []


def test_pauses_grow_to_a_bound(clock: Clock) -> None:
    """Pauses grow from 5 ms to at most 100 ms."""
    assert polling.wait_until(lambda: clock.now_s > 2, timeout_s=10)
    assert clock.pauses == sorted(clock.pauses)
    assert (clock.pauses[0], clock.pauses[-1]) == (0.005, 0.1)


def test_what_is_never_so_ends(clock: Clock) -> None:
    """If the condition never becomes true, the wait ends soon after its timeout."""
    assert not polling.wait_until(lambda: False, timeout_s=1)
    assert 1 < clock.now_s < 1.2
