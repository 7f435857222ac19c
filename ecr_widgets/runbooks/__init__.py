"""Runbooks on disk: the shipped ones and the users' own."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ecr_widgets.errors import InputError
from ecr_widgets.model.declarations import found_parameters
from ecr_widgets.model.nearest import did_you_mean
from ecr_widgets.model.parameters import Parameter
from ecr_widgets.model.paths import is_file, path_of, why_unseen
from ecr_widgets.runbooks.language import refuse_other_cells, refuse_other_language
from ecr_widgets.runbooks.notebook_file import read_notebook
from ecr_widgets.saved_runs.reading import OURS, own_metadata
from ecr_widgets.saved_runs.summary import is_summary


@dataclass(frozen=True, slots=True)
class Runbook:
    """A notebook with parameters."""

    name: str
    path: Path
    content: bytes = field(repr=False)
    """The file's content when it was read; the file may have changed by the time that it is run."""
    sha256: str
    title: str
    purpose: str
    """The text under the title."""
    parameters: tuple[Parameter, ...]
    approval: bool
    """Whether another person must approve each run: `"approval": "required"` in the notebook's `metadata.ecr_widgets`."""


@cache
def shipped_folder() -> Path:
    """The folder of the shipped runbooks: inside an installed package, or at the top of the checkout."""
    package = Path(__file__).parents[1]
    inside = package / "notebooks"
    return inside if inside.is_dir() else package.parent / "notebooks"


def list_runbooks() -> tuple[Runbook, ...]:
    """The shipped runbooks, sorted by name."""
    return tuple(read_runbook(path) for path in sorted(shipped_folder().glob("*.ipynb")))


def find_runbook(name_or_path: str | Path) -> Runbook:
    """Return a shipped runbook by its name, or any runbook by its path.

    Raises:
        InputError: No such runbook, not a notebook, or its name looks like another runbook's slot.
    """
    path = given = path_of(name_or_path)
    if path.suffix != ".ipynb" and path.name == str(name_or_path):
        path = shipped_folder() / f"{name_or_path}.ipynb"
    if not is_file(path):
        names = [found.stem for found in sorted(shipped_folder().glob("*.ipynb"))]
        why = why_unseen(path) if path == given else ""
        raise InputError(
            f"no runbook {str(name_or_path)!r}{f': {why}' if why else ''}",
            hint=_here(str(name_or_path))
            or did_you_mean(str(name_or_path), names, f"give a path, or one of: {', '.join(names)}"),
        )
    if "@" in path.stem:
        raise InputError(
            f"runbook {path.stem!r} refused: in the names of runs, an @ is followed by the slot of a schedule",
            hint="rename it",
        )
    return read_runbook(path)


def _here(name: str) -> str:
    """What to give for a file in the current folder: names without a folder are those of shipped runbooks."""
    file = next((each for each in (name, f"{name}.ipynb") if is_file(each)), None)
    return f"to run the file, give ./{file}" if file else ""


def read_runbook(path: Path) -> Runbook:
    """Read what a runbook declares.

    Raises:
        InputError: Not a notebook, or one in another language.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror}", hint="give a notebook") from error
    notebook = read_notebook(content, path)
    cells = [cell for cell in notebook["cells"] if not is_summary(cell)]
    refuse_other_language(notebook["metadata"])
    refuse_other_cells(notebook["cells"])
    title = next(
        (line.lstrip("# ") for line in _lines(cells, "markdown") if line.startswith("# ")), path.stem
    )
    first = next((cell["source"] for cell in cells if cell["cell_type"] == "markdown"), "")
    purpose = " ".join(line for line in first.splitlines() if not line.startswith("#")).strip()
    tagged = [cell for cell in cells if "parameters" in cell["metadata"]["tags"]]
    declared = found_parameters(tagged[0]["source"]) if tagged else ()
    return Runbook(
        path.stem,
        path,
        content,
        hashlib.sha256(content).hexdigest(),
        title,
        purpose,
        declared,
        asks_for_approval(notebook),
    )


def shipped_files() -> Iterator[tuple[str, bytes]]:
    """The shipped runbooks and the files that they name: path relative to their folder, and content."""
    source = shipped_folder()
    for path in sorted(source.rglob("*")):
        if path.is_file() and not _is_personal(path.relative_to(source)):
            yield str(path.relative_to(source)), path.read_bytes()


def copy_runbooks(folder: Path, *, left: Callable[[Path], object] = lambda _: None) -> Iterator[Path]:
    """Copy the shipped runbooks and their files; existing files are kept.

    Args:
        left: Called with each existing file.

    Returns:
        The files written.

    Raises:
        InputError: The folder cannot be made, read or written; the files already yielded were written.
    """
    for name, content in shipped_files():
        target = folder / name
        try:
            # Without following links, so that a dangling link is left alone, too.
            if os.path.lexists(target):
                left(target)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            yield target
        except OSError as error:
            raise InputError(
                f"runbooks cannot be copied to {str(target)!r}: {error.strerror}", hint="give another folder"
            ) from error


def _is_personal(path: Path) -> bool:
    """Whether a file came into the shipped folder by use: saved runs, checkpoints, a .env."""
    return path.parts[0] == "runs" or any(part.startswith(".") for part in path.parts)


def asks_for_approval(notebook: Mapping[str, Any]) -> bool:
    """Whether a notebook says that another person must approve its runs; a saved run repeats what its runbook said.

    Raises:
        InputError: Its `approval` has an unknown value, or is not where it belongs.
    """
    ours = notebook["metadata"].get(OURS)
    if not isinstance(ours, Mapping | None):
        raise InputError(
            f"the notebook is refused: {OURS} in its metadata is {ours!r}, and not an object",
            hint='remove it, or write {"approval": "required"}',
        )
    wanted = own_metadata(notebook).get("approval")
    if isinstance(wanted, Mapping):
        return str(wanted.get("asked_by")).startswith("runbook ")
    if wanted not in (None, "required", "none"):
        raise InputError(f"approval {wanted!r} refused", hint="write required or none")
    return wanted == "required"


def _lines(cells: list[dict[str, Any]], cell_type: str) -> list[str]:
    return [line for c in cells if c["cell_type"] == cell_type for line in c["source"].splitlines()]
