"""Which notebooks a folder holds, and the stamps that tell whether one changed since."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ecr_widgets.errors import InputError


class Stamp(NamedTuple):
    """What tells two states of a file apart; all of the kernel's making, so nobody can set the change time back."""

    changed_ns: int
    size_bytes: int
    inode: int


def scan(folder: Path) -> Iterator[tuple[str, Stamp]]:
    """All notebooks below a folder by relative name with slashes; hidden folders are left out, links are not followed.

    Raises:
        InputError: The folder cannot be listed.
    """
    try:
        yield from _below(os.fspath(folder), "")
    except OSError as error:
        raise InputError(
            f"runs cannot be read in {str(folder)!r}: {error.strerror}", hint="give --runs"
        ) from error


def _below(folder: str, prefix: str) -> Iterator[tuple[str, Stamp]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name.endswith(".ipynb"):
                if not name.startswith(".") and not entry.is_dir(follow_symlinks=False):
                    about = entry.stat(follow_symlinks=False)
                    yield prefix + name, Stamp(about.st_ctime_ns, about.st_size, about.st_ino)
            elif not name.startswith(".") and entry.is_dir(follow_symlinks=False):
                yield from _below(entry.path, f"{prefix}{name}/")
