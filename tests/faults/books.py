"""Notebooks made for one try, run by our command or by stock papermill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

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


def write_book(folder: Path, sources: Sequence[str], *, parameters: str | None = None) -> Path:
    """A notebook of those code cells."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    if parameters is not None:
        cells.insert(0, nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    book = nbformat.v4.new_notebook(cells=cells)
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = folder / "book.ipynb"
    nbformat.write(book, path)
    return path


def ours(
    folder: Path, *sources: str, environ: Mapping[str, str] | None = None, words: Sequence[str] = ()
) -> Ran:
    """Run the cells by papermill with our engine."""
    return _papermill(folder, sources, ("--engine", "ecr_widgets", *words), environ or {})


def stock(
    folder: Path, *sources: str, environ: Mapping[str, str] | None = None, words: Sequence[str] = ()
) -> Ran:
    """Run the cells by stock papermill: the control."""
    return _papermill(folder, sources, words, environ or {})


def _papermill(folder: Path, sources: Sequence[str], words: Sequence[str], environ: Mapping[str, str]) -> Ran:
    out = folder / "out.ipynb"
    done = subprocess.run(
        [BIN / "papermill", write_book(folder, sources), out, "--no-progress-bar", *words],
        env={**os.environ, **environ},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr, out)
