"""Which files of a sandbox's folder are trusted."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecr_widgets.errors import SettingsError
from ecr_widgets.sandbox.folder import check_own


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state file owned by this user."""
    path = tmp_path / "state.json"
    path.write_text("{}")
    path.chmod(0o600)
    return path


def test_a_file_that_was_replaced_while_it_was_open_is_believed(state: Path, tmp_path: Path) -> None:
    """An open file that was replaced by a newer one is still trusted."""
    with state.open() as file:
        newer = tmp_path / "state.json.new"
        newer.write_text("{}")
        newer.replace(state)
        check_own(state, Path(f"/proc/self/fd/{file.fileno()}").stat())


def test_a_file_with_a_second_name_is_not_believed(state: Path, tmp_path: Path) -> None:
    """A file with a second hard link is not trusted."""
    (tmp_path / "other").hardlink_to(state)
    with pytest.raises(SettingsError, match="not trusted"):
        check_own(state, state.stat())
