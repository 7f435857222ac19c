"""A user's folders for data, state and caches.

Source: XDG Base Directory Specification, which says to ignore relative paths in its variables.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ecr_widgets.errors import SettingsError

_OURS = "ecr-widgets"
_JUPYTERS_OWN = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")
"""Variables for the folders without which Jupyter needs no home."""


def data_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """For what must be kept, such as keys."""
    return _folder(environ, "XDG_DATA_HOME", ".local/share")


def state_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """For what should outlive a restart, such as locks and the sandbox."""
    return _folder(environ, "XDG_STATE_HOME", ".local/state")


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """For what can be recreated."""
    return _folder(environ, "XDG_CACHE_HOME", ".cache")


def check_home(environ: Mapping[str, str] = os.environ) -> None:
    """Refuse to start Jupyter's programs for a user without a home folder, in which they keep files of their own.

    Raises:
        SettingsError: There is none, and Jupyter's variables do not name other folders.
    """
    if not all(environ.get(name) for name in _JUPYTERS_OWN):
        _home("HOME")


def _home(variables: str) -> Path:
    try:
        home = Path.home()
    except RuntimeError as error:  # a user id without a passwd entry, as in containers
        raise SettingsError(
            "this user has no home folder", hint=f"set {variables} to your own folder"
        ) from error
    if not home.is_absolute():
        # Keys and locks would be in the current folder, another one each time.
        raise SettingsError(
            f"HOME is {str(home)!r}, which is not an absolute path", hint="set it to your own folder"
        )
    return home


def _folder(environ: Mapping[str, str], variable: str, below_home: str) -> Path:
    named = environ.get(variable, "")
    if named.startswith("/"):
        return Path(named, _OURS)
    return _home(f"HOME, or {variable}") / below_home / _OURS
