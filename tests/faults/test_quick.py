"""The fault plan's quick profile; `make faults` runs it at full tries."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.buckets import shared_seaweed
from tests.faults import rows  # noqa: F401 -- fills the plan
from tests.faults.plan import ROWS, Result, Row, run_row, upper_bound, write_result
from tests.faults.rows.hostile_texts import one_browser

SEED = 20261123


WAITING = {number: each for number, each in ROWS.items() if isinstance(each, Row) and each.waits}


IN_A_BROWSER = (52, 53, 54)


def test_rows_that_wait_hold_and_their_controls_fail() -> None:
    """The same of rows on leases that have to run out, three at a time."""
    shared_seaweed().new_place()  # one for all of them

    def tried(one: Row) -> Result:
        return run_row(one, profile="quick", seed=SEED, sandbox=lambda: pytest.fail("asked for by a thread"))

    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(tried, WAITING.values()))
    all_hold(results)


def test_rows_in_a_browser_hold_and_their_controls_fail() -> None:
    """The same of rows on pages, in one browser."""
    with one_browser():
        all_hold(
            [
                run_row(
                    ROWS[each], profile="quick", seed=SEED, sandbox=lambda: pytest.fail("asked for by a page")
                )
                for each in IN_A_BROWSER
            ]
        )


def all_hold(results: list[Result]) -> None:
    """Each row held, and its control failed; skips where one could not be tried."""
    here = [each for each in results if not each.skipped]
    assert not [each.note for each in here if each.failures]
    assert not [each.row for each in here if not each.control_failed], (
        "the control held: the check sees nothing"
    )
    if len(here) < len(results):
        pytest.skip(next(each.skipped for each in results if each.skipped))


@pytest.mark.parametrize(
    "number",
    [
        number
        for number, each in sorted(ROWS.items())
        if each.quick and number not in {*WAITING, *IN_A_BROWSER}
    ],
)
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

    from tests.faults.page import section
    from tests.faults.plan import CannotRunHere, Row

    def attempt(_: object) -> None:
        raise CannotRunHere("no second host")

    one = Row(99, "two hosts", 5, 1, attempt, attempt)
    result = run_row(one, profile="quick", seed=SEED, sandbox=lambda: pytest.fail("not asked for"))
    assert (result.tries, result.failures, result.skipped) == (0, 0, "no second host")
    results = {"versions": {}, "rows": [asdict(result) | {"note": "two\n  hosts"}]}
    assert "| 99 | two hosts | skipped: no second host |" in section(results, "", {99: one.what})


def test_a_control_is_tried_until_it_fails_and_a_blind_check_is_found() -> None:
    """A control may miss its moment a few times; one that never fails is told apart."""
    from tests.faults.plan import Attempt, Row

    seeds = []

    def fails_at_the_third(at: Attempt) -> None:
        seeds.append(at.seed)
        assert len(seeds) < 3

    def attempt(_: object) -> None:
        return

    def control_failed(control: Any) -> bool:
        one = Row(99, "a race", 1, 1, attempt, control)
        return run_row(
            one, profile="quick", seed=7, sandbox=lambda: pytest.fail("not asked for")
        ).control_failed

    assert control_failed(fails_at_the_third)
    assert seeds == [7, 8, 9]
    assert not control_failed(attempt)


def test_the_bound_is_the_textbooks() -> None:
    """No failure in 300 tries means a rate below one per cent, at 95 %."""
    assert upper_bound(0, 300) == pytest.approx(0.00994, abs=1e-4)
    assert upper_bound(5, 5) == 1.0
    assert upper_bound(1, 20) == pytest.approx(0.2161, abs=1e-3)


def test_results_of_other_rows_are_kept(tmp_path: Path) -> None:
    """Rows can be run one by one into the same file."""
    path = tmp_path / "build" / "faults.json"
    for number in (2, 1):
        write_result(_result(number), path)
    assert [each["row"] for each in json.loads(path.read_text())["rows"]] == [1, 2]


def test_parts_of_a_row_are_added_only_where_the_same_commit_was_tried(tmp_path: Path) -> None:
    """A failure, or a control that did not fail, in one part is the whole row's."""
    path = tmp_path / "faults.json"
    write_result(_result(16, tries=200, failures=1, control_failed=False, note="it broke"), path, add=True)
    write_result(_result(16, tries=100, seed=201), path, add=True)
    (row,) = json.loads(path.read_text())["rows"]
    assert (row["tries"], row["failures"], row["control_failed"]) == (300, 1, False)
    assert (row["profile"], row["note"], row["seed"]) == ("full", "it broke", 1)
    assert row["bound_95"] == upper_bound(1, 300)
    write_result(_result(16, tries=7, commit="another"), path, add=True)
    (row,) = json.loads(path.read_text())["rows"]
    assert row["tries"] == 7


def _result(number: int, **told: Any) -> Result:
    given = {
        "tries": 1,
        "failures": 0,
        "control_failed": True,
        "seed": 1,
        "profile": "quick",
        "note": "",
        "commit": "one",
    }
    return Result(row=number, bound_95=0.95, **given | told)
