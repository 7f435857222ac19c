"""The folders of a user."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from ecr_widgets.errors import SettingsError
from ecr_widgets.model.user_folders import cache_folder, data_folder, state_folder

FOLDERS = {"XDG_DATA_HOME": data_folder, "XDG_STATE_HOME": state_folder, "XDG_CACHE_HOME": cache_folder}


@pytest.mark.parametrize(("variable", "folder"), FOLDERS.items())
def test_a_folder_follows_its_variable(variable: str, folder: Callable[[Mapping[str, str]], Path]) -> None:
    """An absolute path is taken, a relative one ignored, as the specification says."""
    assert folder({variable: "/somewhere"}) == Path("/somewhere/ecr-widgets")
    assert folder({variable: "relative"}) == folder({}) != Path("relative/ecr-widgets")


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers run as user ids that have no entry anywhere."""

    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    with pytest.raises(SettingsError, match="no home folder; set HOME, or XDG_STATE_HOME"):
        state_folder({})
