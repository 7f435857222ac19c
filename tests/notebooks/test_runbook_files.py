"""Which file a runbook's relative path means, by every door that a run has."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.engine.results import RunResult
from ecr_widgets.engine.run import resume_run, run_runbook
from ecr_widgets.runbooks import copy_runbooks, shipped_folder
from tests.notebooks.engine_runs import write_runbook

BIN = Path(sys.executable).parent
FILE = "wait/Dockerfile.wait"
SHOW = f"from ecr_widgets import connect\n\nprint(connect()._outside.files.find({FILE!r}).read_text())"


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runbook beside an edited copy of the shipped files; whoever runs it is in the folder above."""
    folder = tmp_path / "runbooks"
    list(copy_runbooks(folder))
    (folder / FILE).write_text("FROM mine")
    monkeypatch.chdir(tmp_path)
    return write_runbook(folder, [SHOW])


def shown(notebook: Path) -> str:
    """What the last cell printed."""
    outputs: list[dict[str, Any]] = json.loads(notebook.read_text())["cells"][-1]["outputs"]
    return "".join("".join(each.get("text", "")) for each in outputs).strip()


def run(book: Path) -> RunResult:
    return run_runbook(book, {}, runs=Path("runs"))


def test_the_file_beside_the_runbook_is_used(book: Path) -> None:
    """A copy that was edited is what a run from another folder reads, not the shipped example."""
    assert shown(run(book).notebook) == "FROM mine"


def test_the_file_where_the_run_was_started_comes_first(book: Path) -> None:
    """One runbook serves several projects, each with its own files."""
    Path("wait").mkdir()
    Path(FILE).write_text("FROM here")
    assert shown(run(book).notebook) == "FROM here"


def test_a_copied_runbook_never_falls_back_to_the_shipped_files(book: Path) -> None:
    """A file that was deleted or renamed is missing, so that nobody ships the example by mistake."""
    (book.parent / FILE).unlink()
    result = run(book)
    assert (result.state, "FileNotFoundError" in str(result.reason)) == ("failed", True)


def test_the_shipped_runbook_finds_the_shipped_files(book: Path) -> None:
    """By its name, from any folder: what it names stands beside it."""
    result = run_runbook("deploy", {"reference": "1"}, runs=Path("runs"), plan=True)
    told = json.loads(result.notebook.read_text())["metadata"]["ecr_widgets"]
    assert told["runbook_folder"] == str(shipped_folder())


def test_a_run_that_is_resumed_reads_the_same_files(book: Path) -> None:
    """The saved run lies in another folder than its runbook, and remembers that one."""
    book = write_runbook(book.parent, [SHOW, "1 / open('number').read()"])
    failed = run(book)
    assert failed.state == "failed"
    resumed = resume_run(failed.run_id, runs=Path("runs"))
    cells = json.loads(resumed.notebook.read_text())["cells"]
    assert "FROM mine" in json.dumps(cells)


def test_papermill_with_our_engine_finds_them_too(book: Path) -> None:
    """A scheduler starts it in any folder."""
    words = ["--engine", "ecr_widgets", "--no-progress-bar", book, "out.ipynb"]
    subprocess.run([BIN / "papermill", *words], capture_output=True, check=True)
    assert shown(Path("out.ipynb")) == "FROM mine"


@pytest.mark.parametrize("change", ["%cd app", "import os; os.chdir('app')"])
def test_a_cell_that_changes_the_folder_changes_where_files_are_looked_for(book: Path, change: str) -> None:
    """A relative path means the folder that the notebook is in by then, also where `connect()` was called before."""
    for folder, word in ((Path("app/wait"), "app"), (Path("wait"), "outer")):
        folder.mkdir(parents=True)
        (folder / "Dockerfile.wait").write_text(f"FROM {word}")
    cells = ["from ecr_widgets import connect\nkit = connect()", change]
    written = write_runbook(book.parent, [*cells, f"print(kit._outside.files.find({FILE!r}).read_text())"])
    assert shown(run(written).notebook) == "FROM app"
