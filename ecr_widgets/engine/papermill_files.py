"""Where papermill saves a notebook, and its own last write, made atomic like the engine's.

Papermill is imported only inside functions: it loads the engine, and so this module, during its own import.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ecr_widgets.adapters.run_stores import store_of
from ecr_widgets.disk import is_device, write_atomically
from ecr_widgets.errors import InputError, Replaced
from ecr_widgets.model.bucket_path import BucketPath, Place, is_bucket, place_of
from ecr_widgets.saved_runs.reading import read_header
from ecr_widgets.saved_runs.writing import encoded


def output_place(output_path: str | None) -> Place | None:
    """The file or bucket object in which papermill will save the notebook; None if it prints or drops it, or writes it
    to a device or a pipe.

    Raises:
        InputError: It would be saved in another store, in which records cannot be saved during the run.

        SettingsError: It looks like a bucket's address, but is not a valid one.
    """
    from papermill.iorw import LocalHandler, NoIOHandler, StreamHandler, papermill_io

    if output_path is not None and is_bucket(output_path):
        return place_of(output_path)
    handler = papermill_io.get_handler(output_path)
    if isinstance(handler, (NoIOHandler, StreamHandler)):
        return None
    if not isinstance(handler, LocalHandler):
        raise InputError(
            f"the run cannot be saved in {output_path!r}: it is not a file, and records have to be on disk before"
            " anything is changed",
            hint="save it in a file or an S3 bucket",
        )
    return _file(str(output_path))


def _file(path: str) -> Path | None:
    """The file in which a path of papermill's ends; None for a device or a pipe, which papermill writes at the end.

    To replace `/dev/null` or `/dev/stdout` by a file would break every program of the machine.
    """
    place = papermill_folder() / path
    if is_device(place):
        return None
    return Path(os.path.realpath(place)) if place.is_symlink() else place


def papermill_folder() -> Path:
    """The base of papermill's relative paths, even while it is in the cells' folder (`--cwd`)."""
    from papermill.iorw import papermill_io

    handler = papermill_io.get_handler("local")
    folder = handler.cwd(None)
    handler.cwd(folder)
    return Path(folder or Path.cwd())


def write_whole(place: Place) -> None:
    """Have papermill write to this place atomically from now on, and in a bucket without overwriting another run."""
    from papermill.iorw import papermill_io

    handler = papermill_io.get_handler(str(place))
    if not isinstance(handler.write, _WholeWrites):
        handler.write = _WholeWrites(handler.write)
    handler.write.places.add(place)


class _WholeWrites:
    def __init__(self, write: Callable[[str, str], None]) -> None:
        self.places: set[Place] = set()
        self._write = write

    def __call__(self, text: str, path: str) -> None:
        place = BucketPath.parse(path) if is_bucket(path) else _file(path)
        content = encoded(text)
        if place is None or place not in self.places:
            self._write(text, path)
        elif isinstance(place, BucketPath):
            _replace_own(place, content)
        else:
            write_atomically(place, content)


def _replace_own(place: BucketPath, content: bytes) -> None:
    """Replace what the engine has saved.

    Raises:
        Replaced: Another run was saved there since.
    """
    store = store_of(place.parent)
    stored = store.read(place.name)
    if stored is None or read_header(stored.content, place).run_id != read_header(content, place).run_id:
        raise Replaced(f"{str(place)!r} belongs to another run now")
    store.put(place.name, content, replacing=stored.stamp)
