"""What papermill's own command prints of us."""

from __future__ import annotations

import io

from ecr_widgets.engine.papermill_engine import Refused


def test_a_refusal_by_papermills_door_tells_what_to_try() -> None:
    """One line with the hint in it, as our own command has it."""
    told = io.StringIO()
    Refused("parameter 'x' refused", hint="leave it out").show(told)
    assert told.getvalue() == "Error: parameter 'x' refused; leave it out\n"
