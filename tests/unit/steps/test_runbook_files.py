"""The files that a notebook's calls name."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecr_widgets.steps.shared.runbook_files import RunbookFiles


def test_a_file_in_the_home_folder_is_found_and_needs_no_place_in_a_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step reads `~/file` from the user's home, whatever folders are searched, and its record adds nothing to that."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "Dockerrun.json").write_text("{}")
    files = RunbookFiles((tmp_path / "elsewhere",))
    assert files.find("~/Dockerrun.json") == tmp_path / "Dockerrun.json"
    assert files.read("~/Dockerrun.json") == b"{}"
    assert files.whereabouts("~/Dockerrun.json") == {}
