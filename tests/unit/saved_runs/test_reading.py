"""Saved runs as all readers get them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.errors import InputError
from ecr_widgets.model.record import RECORD_MIME
from ecr_widgets.saved_runs.reading import read_header, read_records, read_run
from ecr_widgets.saved_runs.writing import marked, unmarked
from tests.audit.runs import KINDS, recorded, steps_of

BY_ENGINE = [kind for kind in KINDS if "ecr_widgets" in recorded(kind)["metadata"]]


def content_of(notebook: dict[str, Any]) -> bytes:
    return json.dumps(notebook).encode()


@pytest.mark.parametrize("kind", BY_ENGINE)
def test_what_was_read_of_a_recorded_run_is_written_as_it_was(kind: str) -> None:
    """Header and records of a recorded run are read and written back unchanged."""
    notebook = recorded(kind)
    run = read_run(content_of(notebook), Path("run.ipynb"))
    kept = run.header.to_builtins()
    assert {name: kept[name] for name in notebook["metadata"]["ecr_widgets"]} == notebook["metadata"][
        "ecr_widgets"
    ]
    assert [step.to_builtins() for step in run.records] == [record for record, _ in steps_of(notebook)]


def test_a_half_character_that_a_cell_has_printed_hides_no_run() -> None:
    """A lone surrogate that a cell printed does not make a run unreadable."""
    notebook = recorded("proven")
    notebook["metadata"]["ecr_widgets"]["reason"] = "\ud800"
    content = json.dumps(notebook, ensure_ascii=False).encode("utf-8", "surrogatepass")
    assert read_header(content, Path("run.ipynb")).reason == "\ufffd" * 3


@pytest.mark.parametrize("started_at", [None, "yesterday", "0001-01-01T00:00:00Z"])
def test_a_run_without_a_start_is_none(started_at: str | None) -> None:
    """A run without a valid start time is not a saved run."""
    notebook = recorded("proven")
    notebook["metadata"]["ecr_widgets"]["started_at"] = started_at
    with pytest.raises(InputError, match="is not a saved run"):
        read_header(content_of(notebook), Path("run.ipynb"))


@pytest.mark.parametrize("attempts", [3, ["x"], [{"records": "x"}], [{"records": [{}, 1]}]])
def test_attempts_that_somebody_made_up_break_nothing(attempts: object) -> None:
    """Malformed attempts are read as attempts without records."""
    notebook = recorded("proven")
    notebook["metadata"]["ecr_widgets"]["attempts"] = attempts
    header = read_header(content_of(notebook), Path("run.ipynb"))
    assert [list(attempt.steps) for attempt in header.earlier_attempts] in ([], [[]])


def test_a_cell_cannot_mark_a_display() -> None:
    """A cell cannot mark a display as a record: only the engine's mark counts, and other metadata is kept."""
    assert unmarked({"ecr_widgets": {"marked": True, "x": 1}, "y": 2}) == {"ecr_widgets": {"x": 1}, "y": 2}
    (record, _), *_ = steps_of(recorded("proven"))
    shown = {"output_type": "display_data", "data": {RECORD_MIME: json.dumps(record)}}
    outputs = [{**shown, "metadata": metadata} for metadata in (marked(), unmarked(marked()))]
    notebook = {
        "cells": [{"cell_type": "code", "outputs": outputs}],
        "metadata": {"ecr_widgets": {"marked": True}},
        "nbformat": 4,
    }
    assert len(list(read_records(content_of(notebook)))) == 1
