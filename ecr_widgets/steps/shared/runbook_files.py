"""The files that a runbook names: where they are, and what a record says about that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ecr_widgets.approved_files import ANY_FILES, ApprovedFiles, file_sha256
from ecr_widgets.dockerrun.service_file import read_service_file
from ecr_widgets.errors import InputError, InvalidDockerrun
from ecr_widgets.model.paths import exists, path_of
from ecr_widgets.model.services import Settings

SHIPPED_EXAMPLE = "the example that ecr-widgets ships"


@dataclass(frozen=True, slots=True)
class RunbookFiles:
    """The folders in which a relative path is looked up, in this order."""

    folders: tuple[Path, ...] = (Path(),)
    examples: Path | None = None
    """Folder of the shipped examples; records say when a file is one of them."""
    approved: ApprovedFiles = ANY_FILES
    """What must be in the files that a run acts on."""
    drafts: dict[str, bytes] = field(default_factory=dict)
    """In a plan: files that it would write, by path."""

    def find(self, path: str | Path) -> Path:
        """The absolute path of the file or folder with that name; the path as given if there is none."""
        path = path_of(path)
        return next(((at / path).absolute() for at in self.folders if exists(at / path)), path)

    def read(self, path: str | Path) -> bytes:
        """The content of a file.

        Raises:
            InputError: It cannot be read.
        """
        if str(path) in self.drafts:
            return self.drafts[str(path)]
        try:
            return self.find(path).read_bytes()
        except (OSError, ValueError) as error:  # a ValueError for a path with a NUL
            why = getattr(error, "strerror", None) or error
            raise InputError(f"cannot read {str(path)!r}: {why}", hint="check the path") from error

    def read_settings(self, path: str | Path | None) -> tuple[Settings | None, str]:
        """The settings of a service file and its SHA-256; None and an empty text if no file is named.

        Raises:
            InputError: It cannot be read, is not what was approved, or has a setting that is not allowed.
        """
        if not path:
            return None, ""
        content = self.read(path)
        self.approved.check_service_file(str(path), content)
        with naming(path):
            return read_service_file(content), file_sha256(content)

    def whereabouts(self, path: str | Path) -> dict[str, str]:
        """What a record says about where a relative path was found, since several folders may have a file of that name."""
        place = self.find(path)
        if path_of(path).is_absolute() or not exists(place):
            return {}
        place = place.absolute()
        shipped = self.examples is not None and place.is_relative_to(self.examples)
        return {"found": SHIPPED_EXAMPLE if shipped else str(place)}


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Name the file in the error if a Dockerrun is refused."""
    try:
        yield
    except InvalidDockerrun as error:
        raise error.in_file(str(path)) from error
