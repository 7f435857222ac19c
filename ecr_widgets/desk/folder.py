"""The folder: runbooks for the user to change, forms, runs, and the start page as a notebook."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ecr_widgets.errors import InputError
from ecr_widgets.runbooks import list_runbooks, shipped_files, shipped_folder
from ecr_widgets.settings import RUNS_VARIABLE

START = "START.ipynb"
FORMS, RUNBOOKS, RUNS = "forms", "runbooks", "runs"
OWN = ".ecr-widgets"
"""The desk's own files: a list of what it copied, and JupyterLab settings."""
_COPIED = "copied.json"
_PAGE_CELL = "desk"
_NO_NEWS = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}


@dataclass(frozen=True, slots=True)
class Desk:
    """A desk that is ready to open."""

    folder: Path
    kept: tuple[Path, ...]
    """Runbooks that have a newer version in this release but were changed here, so they were not updated."""

    @property
    def runs(self) -> Path:
        """Where its runs are saved by default."""
        return self.folder / RUNS

    @property
    def jupyter_config(self) -> Path:
        """A folder for JUPYTER_CONFIG_PATH."""
        return self.folder / OWN


def prepare(folder: Path) -> Desk:
    """Make a desk, or update one without touching what the user changed or deleted.

    Raises:
        InputError: The folder is the shipped runbooks' own, or cannot be written.
    """
    shipped = shipped_folder().resolve()
    resolved = folder.resolve()
    if resolved == shipped or shipped in resolved.parents:
        raise InputError(
            f"{str(folder)!r} is the folder of the shipped runbooks", hint="give your own folder"
        )
    try:
        for name in (RUNBOOKS, RUNS, FORMS, f"{OWN}/labconfig"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        kept = tuple(_copy_runbooks(folder))
        _write_json(folder / OWN / "labconfig" / "default_setting_overrides.json", _NO_NEWS)
        for book in list_runbooks():
            _write_once(folder / FORMS / f"{book.name}.ipynb", partial(_form, book.name))
        _write_once(folder / START, lambda: _notebook(_PAGE_CELL, _PAGE_SOURCE, hidden=True))
    except OSError as error:
        raise InputError(
            f"the desk {str(folder)!r} cannot be made: {error.strerror}", hint="give another folder"
        ) from error
    return Desk(folder, kept)


def show_page(desk: Desk, bundle: Mapping[str, str]) -> None:
    """Put the rendered start page into its notebook, so that it shows before a kernel starts.

    A notebook whose cell the user has removed is left alone.
    """
    path = desk.folder / START
    try:
        notebook = json.loads(path.read_text())
        cells = [each for each in notebook["cells"] if each.get("id") == _PAGE_CELL]
        if not cells:
            return
        cells[0]["outputs"] = [{"output_type": "display_data", "metadata": {}, "data": dict(bundle)}]
        _write_json(path, notebook)
    except (OSError, ValueError, KeyError, TypeError):
        return  # changed by the user, or not writable: running its cell shows the page, too


def _copy_runbooks(folder: Path) -> Iterator[Path]:
    """Copy new runbooks, update those the user has not changed, and yield those that were changed and have an update."""
    manifest = folder / OWN / _COPIED
    copied = _read_manifest(manifest)
    for name, content in shipped_files():
        target, sha256, before = folder / RUNBOOKS / name, _sha256(content), copied.get(name)
        current = _sha256(target.read_bytes()) if target.exists() else None
        if current is None and before is not None:
            continue  # the user has deleted it
        if current not in (None, sha256, before):
            if before != sha256:
                yield target
            continue
        if current != sha256:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        copied[name] = sha256
    _write_json(manifest, copied)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read_manifest(path: Path) -> dict[str, str]:
    try:
        return {str(name): str(sha256) for name, sha256 in json.loads(path.read_text()).items()}
    except (OSError, ValueError, AttributeError):
        return {}


_PAGE_SOURCE = "from ecr_widgets import open_desk\n\nopen_desk()"


def _form(name: str) -> dict[str, Any]:
    source = (
        "# Press ▶ above, or Shift+Enter: the form opens below.\nimport os\n\nfrom ecr_widgets import open_form\n\n"
        f'runs = os.environ.get("{RUNS_VARIABLE}") or "../{RUNS}"\nopen_form("../{RUNBOOKS}/{name}.ipynb", runs=runs)'
    )
    return _notebook("form", source)


def _notebook(cell_id: str, source: str, *, hidden: bool = False) -> dict[str, Any]:
    # Imported late: the page does not need it.
    from nbformat.v4 import new_code_cell, new_notebook

    metadata = {"jupyter": {"source_hidden": True}} if hidden else {}
    cell = new_code_cell(source, id=cell_id, metadata=metadata)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook: dict[str, Any] = new_notebook(cells=[cell], metadata={"kernelspec": kernel})
    return notebook


def _write_once(path: Path, make: Callable[[], Mapping[str, Any]]) -> None:
    if not path.exists():
        _write_json(path, make())


def _write_json(path: Path, document: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
