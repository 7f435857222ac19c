"""Our errors as papermill's command prints them."""

from __future__ import annotations

import io

import pytest

from ecr_widgets.engine.papermill_engine import EcrWidgetsEngine, Refused


def test_a_refusal_by_papermills_door_tells_what_to_try() -> None:
    """A refusal is one line with the hint, as in our own command."""
    told = io.StringIO()
    Refused("parameter 'x' refused", hint="leave it out").show(told)
    assert told.getvalue() == "Error: parameter 'x' refused; leave it out\n"


def test_metadata_that_papermill_could_not_use_is_refused_in_words() -> None:
    """Papermill's member of the wrong type is a refusal that says what to remove, and no traceback."""
    with pytest.raises(Refused, match="papermill in its metadata is 'x', and not an object; remove it"):
        EcrWidgetsEngine.nb_language({"metadata": {"papermill": "x"}, "cells": []})
