"""What is at a path that somebody named: asked without an error where it is too long, or behind a folder without access."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path


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
