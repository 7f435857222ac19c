"""The outside world in memory, for steps tested alone or through a kit."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecr_widgets.kit import Kit
from ecr_widgets.steps.shared.outside import Outside
from tests.fakes.connections import FakeConnections, make_kit, make_outside


@pytest.fixture
def outside(to: FakeConnections, tmp_path: Path) -> Outside:
    return make_outside(to, tmp_path)


@pytest.fixture
def kit(to: FakeConnections, tmp_path: Path) -> Kit:
    return make_kit(to, tmp_path)
