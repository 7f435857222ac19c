"""What the engine writes into a saved run."""

from __future__ import annotations

import json

import pytest

from ecr_widgets.audit.canonical import form_of
from ecr_widgets.saved_runs.writing import encoded
from tests.audit.runs import recorded


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("d\udcff", "d\\udcff"),
        ("\ud800", "\\ud800"),
        (float("nan"), "NaN"),
        ([-float("inf"), "NaN ✓"], ["-Infinity", "NaN ✓"]),
    ],
)
def test_what_json_and_utf_8_do_not_have_is_written_as_text(value: object, read: object) -> None:
    """A folder's name that is not UTF-8, or a number that is none, would make a file that cannot be sealed or read."""
    notebook = recorded("proven")
    notebook["metadata"]["ecr_widgets"]["parameters"] = {"given": value}
    content = encoded(json.dumps(notebook, ensure_ascii=False, indent=1))
    assert form_of(content).sha256
    found = json.loads(content, parse_constant=lambda name: pytest.fail(name))
    assert found["metadata"]["ecr_widgets"]["parameters"] == {"given": read}
