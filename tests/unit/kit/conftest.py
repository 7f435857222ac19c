"""A kit on fakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecr_widgets.kit import Kit
from tests.fakes.connections import FakeConnections, make_kit


@pytest.fixture
def kit(to: FakeConnections, tmp_path: Path) -> Kit:
    (tmp_path / "Dockerfile").write_text("FROM busybox")
    return make_kit(to, tmp_path)
