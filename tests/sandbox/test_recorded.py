"""A recorded example of each shipped runbook, compared by nbval."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecr_widgets.runbooks import list_runbooks
from tests.conftest import outside_of, sandbox_of_its_own
from tests.faults import forked
from tests.recorded.record import NOT_RECORDED, PREFIX, prepare

RECORDED = Path(__file__).parents[1] / "recorded"


@pytest.fixture
def sandbox_environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A sandbox with nothing in it: records name what else is there, such as deploys that a clean-up did not read."""
    with sandbox_of_its_own() as started:
        yield outside_of(started, tmp_path)


def test_every_example_gives_the_records_that_it_gave(
    sandbox_environ: dict[str, str], tmp_path: Path
) -> None:
    """Digests, times, addresses and ids apart; run by nbval in the order of their names, where all stands."""
    assert {path.stem for path in RECORDED.glob("*.ipynb")} == {
        book.name for book in list_runbooks()
    } - NOT_RECORDED
    prepare(sandbox_environ, tmp_path, PREFIX)
    done = forked.run(
        [
            *(sys.executable, "-m", "pytest", "--noconftest", "-q", "-p", "no:cacheprovider"),
            *("--nbval-sanitize-with", RECORDED / "sanitize.cfg"),
            *sorted(RECORDED.glob("*.ipynb")),
        ],
        env=sandbox_environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
