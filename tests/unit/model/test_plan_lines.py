"""Lines of a plan with signs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ecr_widgets.model.plan_lines import is_marked, planned_line

PANEL = Path(__file__).parents[3] / "ecr_widgets/panels/front_end/panel.js"


def test_a_line_without_a_word_of_a_plan_has_no_sign() -> None:
    """A line whose first word only begins like one of a plan's words has no sign."""
    assert "<b>" not in planned_line("additional memory")
    assert not is_marked("additional memory")
    assert not is_marked({"added": 1})


def test_the_front_end_marks_the_same_words() -> None:
    """The front end marks the same words as Python does."""
    (words,) = re.findall(r"PLANNED = /\^\(([a-z|]+)\) /", PANEL.read_text())
    assert all(is_marked(f"{word} x") for word in words.split("|"))


@pytest.mark.parametrize("line", ["added <script>", "removed \x1b[31m"])
def test_a_line_stays_text(line: str) -> None:
    """Tags and escape codes in a line are escaped."""
    assert line not in planned_line(line)
