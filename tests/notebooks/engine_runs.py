"""Run small runbooks with the engine, and read what they saved."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat

from ecr_widgets.engine.results import RunResult
from ecr_widgets.engine.run import run_runbook
from ecr_widgets.saved_runs.summary import is_summary

BIN = Path(sys.executable).parent
RECORDING_CELL = """
from ecr_widgets.channel import open_channel
from ecr_widgets.recording.notebook import NotebookSink
from ecr_widgets.recording.recorder import Recorder
from ecr_widgets.adapters.clock import SystemClock
import os
channel = open_channel(os.environ)
recorder = Recorder(channel.run_id, SystemClock(), NotebookSink(channel))
"""


def write_runbook(folder: Path, sources: Sequence[str], parameters: str = "tag: str = 'x'  # why") -> Path:
    cells = [nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})]
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = folder / "book.ipynb"
    nbformat.write(notebook, path)
    return path


def run(folder: Path, *sources: str, **given: str) -> tuple[RunResult, dict[str, Any]]:
    """Return the run, and its notebook without the summary on top."""
    result = run_runbook(write_runbook(folder, sources), given, runs=folder / "runs")
    saved = json.loads(result.notebook.read_text())
    nbformat.validate(nbformat.from_dict(saved))
    assert {path.name for path in (folder / "runs").iterdir()} == {result.notebook.name, "seals.jsonl"}
    assert is_summary(saved["cells"].pop(0))
    return result, saved


def states(saved: dict[str, Any]) -> list[str]:
    return [
        cell["metadata"]["ecr_widgets"]["state"] for cell in saved["cells"] if cell["cell_type"] == "code"
    ]
