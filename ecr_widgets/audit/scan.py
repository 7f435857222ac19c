"""Which notebooks a folder holds, and the stamps that tell whether one changed since."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISDIR
from typing import NamedTuple

from ecr_widgets.errors import InputError


class Stamp(NamedTuple):
    """What tells two states of a file apart; all of the kernel's or the store's making, so nobody can set the change time back."""

    changed_ns: int
    size_bytes: int
    inode: int | str
    """Or the ETag of an object."""


RACY_NS = 50_000_000
"""A file this young may change once more within the clock's own grain, so its stamp is not believed yet."""
_GRAIN_NS = 10_000_000
"""The kernel's clock for change times stands still for as long, at most."""
NEVER = Stamp(0, 0, 0)
"""No file has it: what bears it is looked at again each time."""


def scan(folder: Path) -> Iterator[tuple[str, Stamp]]:
    """All notebooks below a folder by relative name with slashes; hidden folders are left out, links are not followed.

    A folder below that cannot be listed is named itself, with a slash at its end, so that nobody takes it for empty; what
    vanishes meanwhile is left out.

    Raises:
        InputError: The folder itself cannot be listed.
    """
    for prefix, entries in _folders(folder):
        if entries is None:
            yield prefix, NEVER
            continue
        for entry in entries:
            name = entry.name
            if not name.endswith(".ipynb") or name.startswith("."):
                continue
            try:
                about = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if S_ISDIR(about.st_mode):
                continue
            yield prefix + name, Stamp(about.st_ctime_ns, about.st_size, about.st_ino)


def settled_stamp(file: Path) -> Stamp:
    """A file's stamp, once whatever changes the file from here on gives it another.

    Raises:
        OSError: It cannot be asked for.
    """
    about = file.stat(follow_symlinks=False)
    age_ns = time.time_ns() - about.st_ctime_ns
    if age_ns < _GRAIN_NS:
        time.sleep(min(_GRAIN_NS - age_ns, _GRAIN_NS) / 1e9)
    return Stamp(about.st_ctime_ns, about.st_size, about.st_ino)


def shown_name(name: str) -> str:
    """The name as text: bytes in it that are no UTF-8, which no JSON and no index can hold, as escapes."""
    return name if name.isascii() else os.fsencode(name).decode("utf-8", "backslashreplace")


def folders_with(folder: Path, name: str) -> Iterator[str]:
    """Folders at and below one that hold a file of that name, as prefixes of notebooks' names: `` or `sub/`.

    Raises:
        InputError: The folder itself cannot be listed.
    """
    for prefix, entries in _folders(folder):
        if entries and any(entry.name == name for entry in entries):
            yield prefix


def _folders(top: Path) -> Iterator[tuple[str, list[os.DirEntry[str]] | None]]:
    """Each folder's prefix with its entries, None where it cannot be listed; a stack, for folders nest as deep as they like."""
    due = [""]
    while due:
        prefix = due.pop()
        try:
            with os.scandir(os.path.join(top, prefix)) as found:  # noqa: PTH118 -- quicker, and any bytes will do
                entries = list(found)
        except OSError as error:
            if not prefix:
                raise InputError(
                    f"runs cannot be read in {str(top)!r}: {error.strerror}",
                    hint="run a runbook first, or give --runs"
                    if isinstance(error, FileNotFoundError)
                    else "give --runs",
                ) from error
            if not isinstance(error, FileNotFoundError):
                yield prefix, None
            continue
        due += [
            f"{prefix}{entry.name}/"
            for entry in entries
            if not entry.name.startswith(".")
            and not entry.name.endswith(".ipynb")
            and entry.is_dir(follow_symlinks=False)
        ]
        yield prefix, entries
