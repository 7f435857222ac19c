"""Notices by the user's own command."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecr_widgets.adapters.notify import notify


def test_a_command_in_the_home_folder_is_found_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` in front of the command is the user's home, although no shell runs it; it gets the summary."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "tell").write_text('#!/bin/sh\ncat >"$1"\n')
    (tmp_path / "tell").chmod(0o755)
    assert notify({"state": "failed"}, command=f"~/tell {tmp_path}/told") == ()
    assert (tmp_path / "told").read_text() == '{"state": "failed"}'
