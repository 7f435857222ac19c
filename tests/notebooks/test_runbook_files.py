"""Which file a runbook's relative path means, however it is run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.engine.results import RunResult
from ecr_widgets.engine.run import resume_run, run_runbook
from ecr_widgets.runbooks import copy_runbooks, shipped_folder
from tests.faults import forked
from tests.notebooks.engine_runs import write_runbook

pytestmark = pytest.mark.usefixtures("forked_kernels")

BIN = Path(sys.executable).parent
FILE = "wait/Dockerfile.wait"
SHOW = f"from ecr_widgets import connect\n\nprint(connect()._outside.files.find({FILE!r}).read_text())"


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runbook beside an edited copy of the shipped files, to be run from the folder above."""
    folder = tmp_path / "runbooks"
    list(copy_runbooks(folder))
    (folder / FILE).write_text("FROM mine")
    monkeypatch.chdir(tmp_path)
    return write_runbook(folder, [SHOW])


def shown(notebook: Path) -> str:
    """Return what the last cell printed."""
    outputs: list[dict[str, Any]] = json.loads(notebook.read_text())["cells"][-1]["outputs"]
    return "".join("".join(each.get("text", "")) for each in outputs).strip()


def run(book: Path) -> RunResult:
    return run_runbook(book, {}, runs=Path("runs"))


def test_the_file_beside_the_runbook_is_used(book: Path) -> None:
    """A run from another folder reads the edited file beside the runbook, not the shipped example."""
    assert shown(run(book).notebook) == "FROM mine"


def test_the_file_where_the_run_was_started_comes_first(book: Path) -> None:
    """A file in the folder where the run was started comes before the one beside the runbook."""
    Path("wait").mkdir()
    Path(FILE).write_text("FROM here")
    assert shown(run(book).notebook) == "FROM here"


def test_a_copied_runbook_never_falls_back_to_the_shipped_files(book: Path) -> None:
    """If the file beside a copied runbook is missing, the run fails instead of using the shipped example."""
    (book.parent / FILE).unlink()
    result = run(book)
    assert (result.state, "FileNotFoundError" in str(result.reason)) == ("failed", True)


def test_the_shipped_runbook_finds_the_shipped_files(book: Path) -> None:
    """A shipped runbook run by its name uses the files beside it from any folder."""
    result = run_runbook("deploy", {"reference": "1"}, runs=Path("runs"), plan=True)
    told = json.loads(result.notebook.read_text())["metadata"]["ecr_widgets"]
    assert told["runbook_folder"] == str(shipped_folder())


def test_a_run_that_is_resumed_reads_the_same_files(book: Path) -> None:
    """A resumed run reads the files beside its runbook, although its saved run is in another folder."""
    book = write_runbook(book.parent, [SHOW, "1 / open('number').read()"])
    failed = run(book)
    assert failed.state == "failed"
    resumed = resume_run(failed.run_id, runs=Path("runs"))
    cells = json.loads(resumed.notebook.read_text())["cells"]
    assert "FROM mine" in json.dumps(cells)


def test_papermill_with_our_engine_finds_them_too(book: Path) -> None:
    """Papermill with our engine finds the files beside the runbook from any folder."""
    words = ["--engine", "ecr_widgets", "--no-progress-bar", book, "out.ipynb"]
    forked.run([BIN / "papermill", *words], capture_output=True, check=True)
    assert shown(Path("out.ipynb")) == "FROM mine"


@pytest.mark.parametrize("change", ["%cd app", "import os; os.chdir('app')"])
def test_a_cell_that_changes_the_folder_changes_where_files_are_looked_for(book: Path, change: str) -> None:
    """A cell that changes the folder changes where relative paths are looked for, also after `connect()`."""
    for folder, word in ((Path("app/wait"), "app"), (Path("wait"), "outer")):
        folder.mkdir(parents=True)
        (folder / "Dockerfile.wait").write_text(f"FROM {word}")
    cells = ["from ecr_widgets import connect\nkit = connect()", change]
    written = write_runbook(book.parent, [*cells, f"print(kit._outside.files.find({FILE!r}).read_text())"])
    assert shown(run(written).notebook) == "FROM app"
