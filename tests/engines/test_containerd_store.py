"""The kit on an engine that keeps images in containerd's store, as new installations of Docker do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engines.__main__ import FOLDER
from tests.engines.bench import ROOT, Bench
from tests.engines.daemons import KINDS, Store, running
from tests.engines.packages import NoPackages
from tests.engines.steps import Outcome, contract, doctor, release, release_again, start_sandbox, stop_sandbox

KIND = next(kind for kind in KINDS if kind.store is Store.CONTAINERD and kind.suite == "trixie")
"""Of a stable suite, so that it is the same engine from day to day; `make engines` has the others."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """An engine with nothing in it; skips where there can be none, and says why."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        with running(KIND, FOLDER) as docker_host:
            bench = Bench(docker_host, ROOT, tmp_path_factory.mktemp("engine"), Path("/no-buildx"))
            yield bench
            bench.down()
    except NoPackages as error:
        pytest.skip(str(error))


# Downloading the engine, some 100 MB, is part of the first one.
@pytest.mark.timeout(600)
@pytest.mark.parametrize("step", [start_sandbox, doctor, contract, release, release_again, stop_sandbox])
def test_each_step_is_right(bench: Bench, step: Callable[[Bench], Outcome]) -> None:
    """What the sandbox, the engine's contract and the release runbook promise holds on it, and nothing is left in it."""
    outcome = step(bench)
    assert outcome.ok, outcome
