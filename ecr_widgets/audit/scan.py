"""Which notebooks a folder holds, with stamps that show whether one has changed since."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISDIR
from typing import NamedTuple

from ecr_widgets.errors import InputError


class Stamp(NamedTuple):
    """What distinguishes two states of a file; all set by the kernel or the store, so that the change time cannot be set back."""

    changed_ns: int
    size_bytes: int
    inode: int | str
    """For an object, its ETag."""


RACY_NS = 50_000_000
"""A younger file may change again within the clock's resolution, so its stamp is not trusted yet."""
_GRAIN_NS = 10_000_000
"""The longest time between two ticks of the kernel's clock for change times."""
NEVER = Stamp(0, 0, 0)
"""No file has this stamp: an entry with it is checked again each time."""


def is_listed(name: str) -> bool:
    """Whether lists show a file of this name."""
    return name.endswith(".ipynb") and not name.startswith(".")


def scan(folder: Path) -> Iterator[tuple[str, Stamp]]:
    """Yield all notebooks below a folder, by relative name with slashes; hidden folders are skipped, links are not followed.

    A subfolder that cannot be listed is yielded itself, with a slash at its end, so that it does not look empty. What vanishes
    meanwhile is left out.

    Raises:
        InputError: The folder itself cannot be listed.
    """
    for prefix, entries in _folders(folder):
        if entries is None:
            yield prefix, NEVER
            continue
        for entry in entries:
            name = entry.name
            if not is_listed(name):
                continue
            try:
                about = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if S_ISDIR(about.st_mode):
                continue
            yield prefix + name, Stamp(about.st_ctime_ns, about.st_size, about.st_ino)


def settled_stamp(file: Path) -> Stamp:
    """Return a file's stamp, after waiting until any further change would give it a different one.

    Raises:
        OSError: The file's status cannot be read.
    """
    about = file.stat(follow_symlinks=False)
    age_ns = time.time_ns() - about.st_ctime_ns
    if age_ns < _GRAIN_NS:
        time.sleep(min(_GRAIN_NS - age_ns, _GRAIN_NS) / 1e9)
    return Stamp(about.st_ctime_ns, about.st_size, about.st_ino)


def shown_name(name: str) -> str:
    """Return the name as text; bytes that are not UTF-8 become escapes, because JSON and the index cannot hold them."""
    return name if name.isascii() else os.fsencode(name).decode("utf-8", "backslashreplace")


def folders_with(folder: Path, name: str) -> Iterator[str]:
    """Yield this folder and its subfolders that have a file of this name, as prefixes of notebooks' names: `` or `sub/`.

    Raises:
        InputError: The folder itself cannot be listed.
    """
    for prefix, entries in _folders(folder):
        if entries and any(entry.name == name for entry in entries):
            yield prefix


def _folders(top: Path) -> Iterator[tuple[str, list[os.DirEntry[str]] | None]]:
    """Yield each folder's prefix with its entries, or None if it cannot be listed; not recursive, as folders may nest deeply."""
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
