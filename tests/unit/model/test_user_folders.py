"""A user's folders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from ecr_widgets.errors import SettingsError
from ecr_widgets.model.user_folders import cache_folder, check_home, data_folder, state_folder

FOLDERS = {"XDG_DATA_HOME": data_folder, "XDG_STATE_HOME": state_folder, "XDG_CACHE_HOME": cache_folder}


@pytest.mark.parametrize(("variable", "folder"), FOLDERS.items())
def test_a_folder_follows_its_variable(variable: str, folder: Callable[[Mapping[str, str]], Path]) -> None:
    """A folder follows its XDG variable if that is an absolute path; a relative one is ignored."""
    assert folder({variable: "/somewhere"}) == Path("/somewhere/ecr-widgets")
    assert folder({variable: "relative"}) == folder({}) != Path("relative/ecr-widgets")


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the user has no home folder, as in containers, the error says which variables to set."""

    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    with pytest.raises(SettingsError, match="no home folder; set HOME, or XDG_STATE_HOME"):
        state_folder({})
    with pytest.raises(SettingsError, match="no home folder; set HOME to your own folder"):
        check_home({})
    check_home({"JUPYTER_CONFIG_DIR": "/somewhere", "JUPYTER_DATA_DIR": "/somewhere"})


def test_a_home_that_is_no_absolute_path_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a relative HOME, keys would be in whatever folder is the current one."""
    monkeypatch.setenv("HOME", "relative")
    with pytest.raises(SettingsError, match="'relative', which is not an absolute path"):
        data_folder({})
