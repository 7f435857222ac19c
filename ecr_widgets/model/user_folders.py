"""A user's folders for data, state and caches.

Source: XDG Base Directory Specification, which says to ignore relative paths in its variables.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ecr_widgets.errors import SettingsError

_OURS = "ecr-widgets"


def data_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """For what must be kept, such as keys."""
    return _folder(environ, "XDG_DATA_HOME", ".local/share")


def state_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """For what should outlive a restart, such as locks and the sandbox."""
    return _folder(environ, "XDG_STATE_HOME", ".local/state")


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """For what can be recreated."""
    return _folder(environ, "XDG_CACHE_HOME", ".cache")


def _folder(environ: Mapping[str, str], variable: str, below_home: str) -> Path:
    named = environ.get(variable, "")
    if named.startswith("/"):
        return Path(named, _OURS)
    try:
        return Path.home() / below_home / _OURS
    except RuntimeError as error:  # a user id without a passwd entry, as in containers
        raise SettingsError(
            "this user has no home folder", hint=f"set HOME, or {variable} to your own folder"
        ) from error
