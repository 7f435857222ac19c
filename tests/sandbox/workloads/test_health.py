"""Which copies a load balancer takes for healthy."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from ecr_widgets.sandbox.workloads.health import TargetState, passes
from ecr_widgets.sandbox.workloads.records import HealthCheck
from tests.sandbox.workloads.backend import answering


@pytest.fixture
def backend() -> Iterator[int]:
    with answering() as port:
        yield port


def test_thresholds_decide_and_new_copies_are_checked_at_once() -> None:
    """In service after so many good checks in a row, out after so many bad ones, each an interval apart."""
    check = HealthCheck("TCP:80", interval=30, timeout=5, healthy_threshold=2, unhealthy_threshold=3)
    state = TargetState()
    told = []
    for passed in (True, False, True, True, False, False, True, False, False, False, True, True):
        state.take(check, passed=passed, at_s=100.0)
        told.append((state.in_service, state.next_at_s < 101))
    assert [each for each, _ in told] == [False] * 3 + [True] * 6 + [False, False, True]
    assert [soon for _, soon in told] == [True] * 3 + [False] * 9


@pytest.mark.parametrize(
    ("target", "passed"),
    [("HTTP:80/", True), ("TCP:80", True), ("TCP:81", False), ("SSL:80", False), ("HTTPS:80/x", False)],
)
def test_a_check_asks_the_instance_port_in_its_protocol(backend: int, target: str, *, passed: bool) -> None:
    """A port that no container has, and TLS where none is spoken, fail."""
    check = HealthCheck(target, interval=5, timeout=2, healthy_threshold=2, unhealthy_threshold=2)
    assert asyncio.run(passes(check, {80: backend})) is passed
