"""What the tests of notebooks share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.forked import forking


@pytest.fixture
def forked_kernels() -> Iterator[None]:
    """Kernels that this process starts are forked: for tests that are not about how a kernel starts, or is found in /proc."""
    with forking():
        yield
