"""Saved runs as the engine reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecr_widgets.engine.approval import approve
from ecr_widgets.engine.results import find_run, open_run
from ecr_widgets.engine.run import resume_run
from ecr_widgets.errors import InputError
from tests.audit.runs import recorded, save

RUN_ID = recorded("failed")["metadata"]["ecr_widgets"]["run_id"]


def _without(folder: Path, member: str, **more: object) -> Path:
    notebook = recorded("failed")
    run = notebook["metadata"]["ecr_widgets"]
    run |= more
    del (run if member in run else notebook)[member]
    return save(folder, "failed", "any.ipynb", notebook)


@pytest.mark.parametrize(
    "member",
    ["run_id", "runbook", "runbook_sha256", "state", "reason", "parameters", "actor", "started_at", "ended_at", "cells"],
)  # fmt: skip
def test_a_saved_run_that_lacks_a_member_is_refused_by_its_name(tmp_path: Path, member: str) -> None:
    """A saved run that lacks a member is refused with the file and the member."""
    with pytest.raises(InputError, match=rf"any\.ipynb' is not .*saved run: .*\b{member}\b"):
        open_run(_without(tmp_path, member))


def test_neither_approval_nor_resumption_begins_with_a_run_that_lacks_a_member(tmp_path: Path) -> None:
    """Approving and resuming refuse a run that lacks a member, although its id is found."""
    _without(tmp_path, "actor", plan=True, state="succeeded", approval={"asked_by": "it"})
    with pytest.raises(InputError, match=r"it has no metadata\.ecr_widgets\.actor"):
        approve(RUN_ID, runs=tmp_path)
    _without(tmp_path, "runbook_sha256")
    with pytest.raises(InputError, match=r"it has no metadata\.ecr_widgets\.runbook_sha256"):
        resume_run(RUN_ID, runs=tmp_path)


def test_a_deeply_nested_file_hides_no_run(tmp_path: Path) -> None:
    """A deeply nested file with a run's id does not prevent finding the run, and is refused when opened."""
    (tmp_path / "9.ipynb").write_text(f'{{"{RUN_ID}":' + "[" * 100_000 + "]" * 100_000 + "}")
    path = save(tmp_path, "failed")
    assert find_run(RUN_ID, tmp_path) == path
    with pytest.raises(InputError, match="is not a saved run: RecursionError"):
        open_run(tmp_path / "9.ipynb")
