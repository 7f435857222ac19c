"""Notebooks made for one try, run by our command or by stock papermill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from tests.faults.forked import run_papermill

BIN = Path(sys.executable).parent
RECORDER = """
import os
from ecr_widgets.adapters.clock import SystemClock
from ecr_widgets.channel import open_channel
from ecr_widgets.recording.notebook import NotebookSink
from ecr_widgets.recording.recorder import Recorder
channel = open_channel(os.environ)
recorder = Recorder(channel.run_id, SystemClock(), NotebookSink(channel))
"""


@dataclass(frozen=True)
class Ran:
    """What a run left behind."""

    exit_code: int
    stdout: str
    stderr: str
    path: Path

    @property
    def saved(self) -> dict[str, Any]:
        """The saved notebook."""
        saved: dict[str, Any] = json.loads(self.path.read_text())
        return saved

    @property
    def told(self) -> dict[str, Any]:
        """What it says of the run."""
        told: dict[str, Any] = self.saved["metadata"]["ecr_widgets"]
        return told

    @property
    def cells(self) -> list[dict[str, Any]]:
        """Its code cells; papermill puts others between them that tell of errors."""
        return [cell for cell in self.saved["cells"] if cell["cell_type"] == "code"]

    @property
    def merged(self) -> str:
        """All its stream outputs in one text, as a reader sees them; empty where nothing was saved."""
        cells = self.cells if self.path.exists() else []
        outputs = [
            output for cell in cells for output in cell["outputs"] if output["output_type"] == "stream"
        ]
        return "".join("".join(output["text"]) for output in outputs)

    @property
    def states(self) -> list[str]:
        """States of its code cells."""
        return [cell["metadata"]["ecr_widgets"]["state"] for cell in self.cells]

    @property
    def statuses(self) -> list[str]:
        """What papermill's own metadata says of its cells."""
        return [cell["metadata"]["papermill"]["status"] for cell in self.cells]


def write_book(
    folder: Path, sources: Sequence[str], *, parameters: str | None = None, may_raise: Container[int] = ()
) -> Path:
    """A notebook of those code cells; after those that may raise, the next ones run all the same."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    for number, cell in enumerate(cells):
        if number in may_raise:
            cell.metadata["tags"] = ["raises-exception"]
    if parameters is not None:
        cells.insert(0, nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    book = nbformat.v4.new_notebook(cells=cells)
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = folder / "book.ipynb"
    nbformat.write(book, path)
    return path


def ours(folder: Path, *sources: str, words: Sequence[str] = (), **more: Any) -> Ran:
    """Run the cells by papermill with our engine."""
    return stock(folder, *sources, words=("--engine", "ecr_widgets", *words), **more)


def stock(
    folder: Path,
    *sources: str,
    environ: Mapping[str, str] | None = None,
    words: Sequence[str] = (),
    may_raise: Container[int] = (),
    seen: bool = False,
) -> Ran:
    """Run the cells by stock papermill: the control.

    Args:
        seen: Whether its command line has to be one that others can see.
    """
    out = folder / "out.ipynb"
    book = write_book(folder, sources, may_raise=may_raise)
    told = {**os.environ, **(environ or {})}
    given = [str(book), str(out), "--no-progress-bar", *words]
    if not seen:
        return Ran(*run_papermill(given, environ=told, cwd=folder), out)
    done = subprocess.run(
        [BIN / "papermill", *given], env=told, cwd=folder, capture_output=True, text=True, check=False
    )
    return Ran(done.returncode, done.stdout, done.stderr, out)
