"""The table of `docs/reliability.md`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tests.faults import rows  # noqa: F401 -- fills the plan
from tests.faults.page import BEGIN, END, HEAD, PAGE, UNTRIED, section
from tests.faults.plan import ROWS, Result

PLAN = {1: "one fault", 2: "another | fault", 3: "a third"}
OLD = (
    "Tried with python 3.\n\n"
    + HEAD
    + "| 1 | one fault | 5 | old |\n| 3 | a third | 7 | old |\n| 4 | gone | 9 | old |\n"
)
OLD += f"| 2 | its former name {UNTRIED}\n"


def tried(number: int, **given: Any) -> dict[str, Any]:
    result = Result(
        number, 300, 0, 0.00994, control_failed=True, seed=1, profile="full", note="new", commit="c0"
    )
    return asdict(result) | given


def test_a_row_that_was_not_tried_keeps_its_line() -> None:
    """New figures replace the line of their row only, and a row that the plan has no more goes."""
    text = section({"versions": {"python": "4"}, "rows": [tried(3)]}, OLD, PLAN)
    assert text.startswith("Tried with python 4.\n\n")
    assert "| 1 | one fault | 5 | old |" in text
    assert "| 3 | new | 300 | 0 | below 1.0 % | fails, as it should | 0 | c0 |" in text
    assert "a third" not in text
    assert "gone" not in text


def test_a_row_that_was_never_tried_at_full_length_has_no_figures() -> None:
    """It is listed with its fault as the plan names it today, and where it is tried."""
    text = section({}, OLD, PLAN)
    assert "| 2 | another \\| fault | quick profile in `make test` | | | | | |" in text
    assert text.startswith("Tried with python 3.\n\n")


def test_written_twice_the_table_is_the_same() -> None:
    """What the page has is what it is read as."""
    once = section({"versions": {"python": "4"}, "rows": [tried(2)]}, OLD, PLAN)
    assert section({}, once, PLAN) == once


def test_the_page_lists_every_row_of_the_plan() -> None:
    """None is missing in the documents, and none is there that nobody tries."""
    inside = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    assert section({}, inside, {number: row.what for number, row in ROWS.items()}) == inside
