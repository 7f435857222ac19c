"""An ECS without an engine for tests of what it answers."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.sandbox.ecs.served import Served, serve


@pytest.fixture
def ecs() -> Iterator[Served]:
    os.environ.setdefault("MOTO_ACCOUNT_ID", "111222333444")
    with serve() as served:
        yield served
