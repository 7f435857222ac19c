"""Our errors as papermill's command prints them."""

from __future__ import annotations

import io

from ecr_widgets.engine.papermill_engine import Refused


def test_a_refusal_by_papermills_door_tells_what_to_try() -> None:
    """A refusal is one line with the hint, as in our own command."""
    told = io.StringIO()
    Refused("parameter 'x' refused", hint="leave it out").show(told)
    assert told.getvalue() == "Error: parameter 'x' refused; leave it out\n"
