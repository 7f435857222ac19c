"""Where papermill saves a notebook, and its own last write of it: whole or not at all, as those of the engine.

Papermill is imported where it is used: it loads the engine, and so this module, while it is imported itself.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ecr_widgets.disk import write_atomically
from ecr_widgets.errors import InputError


def output_file(output_path: str | None) -> Path | None:
    """The file in which papermill will save the notebook; None where it prints or drops it.

    Raises:
        InputError: It would be saved in a store, where no record can be kept while it runs.
    """
    from papermill.iorw import LocalHandler, NoIOHandler, StreamHandler, papermill_io

    handler = papermill_io.get_handler(output_path)
    if isinstance(handler, (NoIOHandler, StreamHandler)):
        return None
    if not isinstance(handler, LocalHandler):
        raise InputError(
            f"the run cannot be saved in {output_path!r}: it is no file, and records have to be on disk before"
            " anything is changed",
            hint="save it in a file, then copy that",
        )
    return papermill_folder() / str(output_path)


def papermill_folder() -> Path:
    """Where papermill's relative paths begin, also while it is in the folder for the cells (`--cwd`)."""
    from papermill.iorw import papermill_io

    handler = papermill_io.get_handler("local")
    folder = handler.cwd(None)
    handler.cwd(folder)
    return Path(folder or Path.cwd())


def write_whole(file: Path) -> None:
    """From now on have papermill write this file so that at any time the old or the new content is there."""
    from papermill.iorw import papermill_io

    handler = papermill_io.get_handler(str(file))
    if not isinstance(handler.write, _WholeWrites):
        handler.write = _WholeWrites(handler.write)
    handler.write.files.add(file)


class _WholeWrites:
    def __init__(self, write: Callable[[str, str], None]) -> None:
        self.files: set[Path] = set()
        self._write = write

    def __call__(self, text: str, path: str) -> None:
        file = papermill_folder() / path
        if file in self.files:
            write_atomically(file, text.encode("utf-8", "surrogatepass"))
        else:
            self._write(text, path)
