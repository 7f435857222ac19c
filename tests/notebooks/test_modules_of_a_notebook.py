"""Which modules a notebook can import, and that none of its folder replaces one that the kernel or the kit needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ecr_widgets.engine.run import resume_run, run_runbook
from tests.faults import forked
from tests.notebooks.engine_runs import BIN, write_runbook

INSTALLED = (
    "boto3",
    "botocore",
    "docker",
    "urllib3",
    "requests",
    "ipykernel",
    "zmq",
    "psutil",
    "ecr_widgets",
)
CONNECT = """
import os
os.environ |= {"LAYER0_API_ENDPOINT": "http://127.0.0.1:9", "LAYER0_AUTH_TOKEN": "x", "DOCKER_HOST": "tcp://127.0.0.1:9"}
from ecr_widgets import connect
to = connect()._outside.connections
print([type(each).__name__ for each in (to.ecr, to.ecr_of(profile=None, region="x"), to.registry, to.engine, to.layer0)])
"""


def test_files_in_the_folder_that_are_named_like_modules_break_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files named like installed modules do not break a run, and none is executed before a cell imports it."""
    monkeypatch.chdir(tmp_path)
    for name in (*sys.stdlib_module_names, *INSTALLED):
        (tmp_path / f"{name}.py").write_text("open('executed', 'a').write(__name__)")
    book = write_runbook(tmp_path, [CONNECT, "!true", "import random; random.random()"])
    words = ["run", book, "--runs", "runs", "--json"]
    done = subprocess.run([BIN / "ecr-widgets", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / "executed").exists(), (tmp_path / "executed").read_text()
    words = ["--engine", "ecr_widgets", book, "out.ipynb"]
    subprocess.run([BIN / "papermill", *words], capture_output=True, check=True)
    assert not (tmp_path / "executed").exists()


def test_a_cell_still_finds_a_module_of_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell finds a module of its folder before an installed one of the same name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docker.py").write_text("own = 'here'")
    assert printed(run_runbook(write_runbook(tmp_path, ["import docker; print(docker.own)"]), {}, runs=Path("runs")).notebook) == "here"  # fmt: skip


GREET = "from own_steps import greet; print(greet())"


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runbook with a module beside it, to be run from the folder above."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "books").mkdir()
    (tmp_path / "books" / "own_steps.py").write_text("def greet(): return 'from beside'")
    return write_runbook(tmp_path / "books", [GREET])


def test_a_module_beside_the_runbook_is_found_from_any_folder(book: Path) -> None:
    """A module beside the runbook is found from any folder, by our command, for a slot and by papermill."""
    assert printed(run_runbook("books/book.ipynb", {}, runs=Path("runs")).notebook) == "from beside"
    assert printed(run_runbook(book, {}, runs=Path("runs"), slot="nightly").notebook) == "from beside"
    words = ["--engine", "ecr_widgets", "books/book.ipynb", "out.ipynb"]
    forked.run([BIN / "papermill", *words], capture_output=True, check=True)
    assert printed(Path("out.ipynb")) == "from beside"


def test_a_module_where_the_run_was_started_comes_first(book: Path) -> None:
    """A module in the folder where the run was started comes before one beside the runbook."""
    Path("own_steps.py").write_text("def greet(): return 'from here'")
    assert printed(run_runbook(book, {}, runs=Path("runs")).notebook) == "from here"


def test_a_run_that_is_resumed_finds_the_same_modules(book: Path) -> None:
    """A resumed run finds the same modules beside its runbook."""
    write_runbook(book.parent, ["import os; os.path.exists('repaired') or 1 / 0", GREET])
    failed = run_runbook(book, {}, runs=Path("runs"))
    assert failed.state == "failed"
    Path("repaired").touch()
    assert printed(resume_run(failed.run_id, runs=Path("runs")).notebook) == "from beside"


def printed(notebook: Path) -> str:
    """Return what the last cell printed."""
    outputs = json.loads(notebook.read_text())["cells"][-1]["outputs"]
    return "".join("".join(each.get("text", "")) for each in outputs).strip()
