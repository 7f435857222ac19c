"""An ECS without an engine for tests of what it answers, and one with real containers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sandbox.ecs.real import Aws
from tests.sandbox.ecs.served import Served, serve


@pytest.fixture
def ecs() -> Iterator[Served]:
    with serve() as served:
        yield served


@pytest.fixture
def aws(sandbox_environ: dict[str, str]) -> Iterator[Aws]:
    made = Aws(sandbox_environ)
    yield made
    for name in made.services:
        made.ecs.delete_service(cluster="demo", service=name, force=True)
