"""Paths that people name: how they are read, and what is there, asked without an error where a path is too long, or behind a
folder without access.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from ecr_widgets.errors import SettingsError


def path_of(text: str | Path) -> Path:
    """Read a path that a person gave: `~` is the home folder, `~name` that of a user.

    A shell has replaced it on a command line, but nothing does so in an environment file, a systemd unit or a notebook.

    Raises:
        SettingsError: There is no such user, or this one has no home folder.
    """
    path = Path(text)
    # Ask the text, since Path drops the ./ from ./~name, which is how a file of that name is given.
    if not str(text).startswith("~"):
        return path
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise SettingsError(
            f"{str(text)!r} names no folder: the home folder of {path.parts[0]} is not known",
            hint="give the whole path; a file whose name begins with ~ is ./~name",
        ) from error


def is_folder(path: str | Path) -> bool:
    """Whether this user can see a folder there."""
    return stat.S_ISDIR(_mode(path))


def is_file(path: str | Path) -> bool:
    """Whether this user can see a regular file there."""
    return stat.S_ISREG(_mode(path))


def exists(path: str | Path) -> bool:
    """Whether this user can see anything there."""
    return _mode(path) != 0


def why_unseen(path: str | Path) -> str:
    """Why nothing can be seen there, as the system says it; empty if something can."""
    try:
        os.stat(path)  # noqa: PTH116 -- takes a text, too
    except OSError as error:
        return error.strerror or str(error)
    except ValueError as error:  # for example a NUL
        return str(error)
    return ""


def _mode(path: str | Path) -> int:
    """Its type and permissions; 0 if nothing can be seen."""
    with suppress(OSError, ValueError):
        return os.stat(path).st_mode  # noqa: PTH116
    return 0
