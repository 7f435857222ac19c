"""The fault plan's quick profile; `make faults` runs it at full tries."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import rows  # noqa: F401 -- fills the plan
from tests.faults.plan import ROWS, run_row, upper_bound, write_results

SEED = 20261123


@pytest.mark.parametrize("number", sorted(ROWS))
def test_the_row_holds_and_its_control_fails(number: int, request: pytest.FixtureRequest) -> None:
    """What the row's fault threatens holds, and the same check fails where nothing guards it."""
    result = run_row(
        ROWS[number], profile="quick", seed=SEED, sandbox=lambda: request.getfixturevalue("sandbox")
    )
    if result.skipped:
        pytest.skip(result.skipped)
    assert result.failures == 0, result.note
    assert result.control_failed, "the control held, so this row's check sees nothing"


def test_a_row_that_cannot_run_says_why() -> None:
    """It counts as no try, and the page shows the reason instead of figures."""
    from dataclasses import asdict

    from tests.faults.page import table
    from tests.faults.plan import CannotRunHere, Row

    def attempt(_: object) -> None:
        raise CannotRunHere("no second host")

    one = Row(99, "two hosts", 5, 1, attempt, attempt)
    result = run_row(one, profile="quick", seed=SEED, sandbox=lambda: pytest.fail("not asked for"))
    assert (result.tries, result.failures, result.skipped) == (0, 0, "no second host")
    assert "| 99 | two hosts | skipped: no second host |" in table(
        [asdict(result) | {"note": "two\n  hosts"}]
    )


def test_the_bound_is_the_textbooks() -> None:
    """No failure in 300 tries means a rate below one per cent, at 95 %."""
    assert upper_bound(0, 300) == pytest.approx(0.00994, abs=1e-4)
    assert upper_bound(5, 5) == 1.0
    assert upper_bound(1, 20) == pytest.approx(0.2161, abs=1e-3)


def test_results_of_other_rows_are_kept(tmp_path: Path) -> None:
    """Rows can be run one by one into the same file."""
    import json

    from tests.faults.plan import Result

    path = tmp_path / "build" / "faults.json"
    for number in (2, 1):
        write_results(
            [Result(number, 1, 0, 0.95, control_failed=True, seed=1, profile="quick", note="")], path
        )
    assert [each["row"] for each in json.loads(path.read_text())["rows"]] == [1, 2]
