"""A run's notebook before its first cell runs."""

from __future__ import annotations

import json
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pytest

from ecr_widgets.engine import notebook as engine_notebook
from ecr_widgets.engine.notebook import prepare
from ecr_widgets.engine.request import RunOptions, RunRequest
from ecr_widgets.errors import InputError
from ecr_widgets.saved_runs.reading import read_header
from ecr_widgets.saved_runs.writing import header_of
from ecr_widgets.secrets.redaction import SecretRegistry

CELLS = [
    nbformat.v4.new_markdown_cell("# Mine"),
    nbformat.v4.new_markdown_cell("## Operation note\n\n*Why this run*"),
    nbformat.v4.new_code_cell("tag: str = 'x'  # a tag", metadata={"tags": ["parameters"]}),
]


def request(notebook: dict[str, Any] | None = None, **more: Any) -> RunRequest:
    book = notebook or nbformat.v4.new_notebook(cells=CELLS)
    return RunRequest(
        "run-1", "mine", None, Path("/books/mine.ipynb"), json.dumps(book).encode(), {"tag": "1.10"},
        Path("run.ipynb"), RunOptions(Path(), {}), folder=Path("/here"), **more,
    )  # fmt: skip


def sources(prepared: dict[str, Any]) -> list[str]:
    return [cell["source"] for cell in prepared["cells"]]


def test_the_header_says_what_runs_and_where() -> None:
    """The header has the run's id, state and parameters, its working folder and its runbook's folder."""
    header = header_of(prepare(request(), SecretRegistry()))
    assert (header.run_id, header.state, header.parameters) == ("run-1", "running", {"tag": "1.10"})
    assert (header.folder, header.runbook_folder, header.marked) == ("/here", "/books", True)


def test_a_plan_says_so_until_it_is_approved() -> None:
    """A plan's banner says who asks and how to approve; the approved run of the plan has no banner."""
    plan = prepare(request(plan=True, approval={"asked_by": "environment prod"}), SecretRegistry())
    assert (
        "environment prod requires another person's approval: `ecr-widgets approve run-1`" in sources(plan)[0]
    )
    again = prepare(request(plan), SecretRegistry())
    assert not any("Plan of" in source for source in sources(again))
    assert header_of(again).plan is False


def test_the_reason_is_where_a_person_would_write_it() -> None:
    """The reason is in the runbook's operation note, or in a new one at the top."""
    options = RunOptions(Path(), {}, reason="INC-12")
    noted = prepare(replace(request(), options=options), SecretRegistry())
    assert sources(noted)[1] == "## Operation note\n\nINC-12"
    bare = replace(request(nbformat.v4.new_notebook(cells=CELLS[2:])), options=options)
    assert sources(prepare(bare, SecretRegistry()))[0] == "## Operation note\n\nINC-12"


def test_a_notebook_of_an_older_format_is_brought_to_the_new_one() -> None:
    """A notebook in an older format is upgraded, as by papermill."""
    cell = nbformat.v3.new_code_cell("tag = 'x'", metadata={"tags": ["parameters"]})
    old = nbformat.v3.new_notebook(worksheets=[nbformat.v3.new_worksheet(cells=[cell])])
    prepared = prepare(request(old), SecretRegistry())
    assert (prepared["nbformat"], prepared["nbformat_minor"] >= 5) == (4, True)
    assert sources(prepared) == ["tag = 'x'", '# Parameters\ntag = "1.10"\n']


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b'{"cells": [1], "metadata": {}}', b"[" * 100_000])
def test_what_is_no_notebook_is_refused(content: bytes) -> None:
    """A file that is not a notebook is refused with its name."""
    with pytest.raises(InputError, match=r"mine\.ipynb' is not a notebook"):
        prepare(replace(request(), content=content), SecretRegistry())


@pytest.mark.parametrize(
    "odd",
    [
        {"metadata": {"ecr_widgets": {"state": 3}}},
        {"metadata": {"ecr_widgets": "x"}},
        {"metadata": {}, "outputs": "x"},
        {"metadata": {}, "execution_count": "x"},
        {"metadata": {"papermill": "x", "vscode": 5, "jupyter": []}},
    ],
)
def test_what_others_left_where_the_engine_writes_is_of_no_matter(odd: dict[str, Any]) -> None:
    """Members of cells that the engine writes, or that are not ours, may have any type before the run."""
    book = {"cells": [{**CELLS[0], **odd}, *CELLS[1:]], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    prepared = prepare(request(book), SecretRegistry())
    cell = prepared["cells"][0]
    assert "ecr_widgets" not in cell["metadata"]
    assert {"outputs", "execution_count"} & set(cell) == set()
    assert read_header(json.dumps(prepared).encode(), "x").run_id == "run-1"


def test_a_notebook_whose_run_could_not_be_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before its cells run: afterwards the run would have happened, and nobody could tell how it ended."""
    monkeypatch.setattr(engine_notebook, "describe", lambda notebook, _: notebook["metadata"].clear())
    with pytest.raises(InputError, match=r"run of '/books/mine.ipynb' could not be read afterwards"):
        prepare(request(), SecretRegistry())


def test_a_cell_of_another_language_is_refused_before_anything_runs() -> None:
    """A cell that VS Code has saved as a shell script is refused with its number."""
    script = {**CELLS[2], "source": "echo x", "metadata": {"vscode": {"languageId": "shellscript"}}}
    book = {"cells": [*CELLS, script], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    with pytest.raises(InputError, match="cell 4 is shellscript"):
        prepare(request(book), SecretRegistry())


def test_every_cell_has_an_id_of_its_own() -> None:
    """Ids that are missing, repeated or not as nbformat has them are replaced, and the others stay."""
    ids = ["a", "a", None, 5, "b c", "", "x" * 65, "cell-3", "B-1_"]
    cells = [{**CELLS[0], "id": each} for each in ids]
    del cells[2]["id"]
    book = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    prepared = prepare(replace(request(book), parameters={}), SecretRegistry())
    named = [cell["id"] for cell in prepared["cells"]]
    assert named == ["a", "cell-1", "cell-2", "cell-3-2", "cell-4", "cell-5", "cell-6", "cell-3", "B-1_"]
    nbformat.validate(prepared)


@pytest.fixture
def kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this user's kernels are."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    return tmp_path / "kernels"


def install(kernels: Path, name: str, python: str) -> None:
    (kernels / name).mkdir(parents=True)
    argv = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": name, "language": "python"}
    (kernels / name / "kernel.json").write_text(json.dumps(spec))


def with_kernel(name: str) -> RunRequest:
    kernel = {"name": name, "display_name": name, "language": "python"}
    return request(nbformat.v4.new_notebook(cells=CELLS, metadata={"kernelspec": kernel}))


def test_a_notebook_of_another_environment_is_refused(kernels: Path) -> None:
    """A notebook whose kernel is another environment's does not run in this one; one of this environment does."""
    install(kernels, "elsewhere", "/usr/bin/python3-elsewhere")
    install(kernels, "here", sys.executable)
    with pytest.raises(InputError, match=r"'elsewhere' refused: it runs .*start ecr-widgets there, or name"):
        prepare(with_kernel("elsewhere"), SecretRegistry())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepare(with_kernel("here"), SecretRegistry())
        prepare(with_kernel("python3"), SecretRegistry())


@pytest.mark.usefixtures("kernels")
def test_a_kernel_that_is_not_known_here_is_told() -> None:
    """Such as of the author's machine: the cells run here, and a warning says where."""
    with pytest.warns(UserWarning, match="'conda-env-ops-py' is not installed here: its cells run in /"):
        prepare(with_kernel("conda-env-ops-py"), SecretRegistry())
