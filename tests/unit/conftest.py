"""The outside world in memory, for all tests that need no real part."""

from __future__ import annotations

import pytest

from tests.fakes import World
from tests.fakes.connections import FakeConnections


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def to(world: World) -> FakeConnections:
    return FakeConnections(world)
