"""Parameters at every door: our command, papermill with our engine, plain papermill. Kept as typed, or refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

BIN = Path(sys.executable).parent
OURS = (BIN / "ecr-widgets", "run", "book.ipynb", "--runs", "out", "-p")
ENGINE = (BIN / "papermill", "--engine", "ecr_widgets", "book.ipynb", "out/saved.ipynb", "--no-progress-bar")
PLAIN = (BIN / "papermill", "book.ipynb", "out/saved.ipynb", "--no-progress-bar")
HARMLESS = [
    "012345678901",
    "1.10",
    "7e12345",
    'a"b{c}{{d}}',
    "it's",
    "$(touch pwned)",
    "__import__('os')",
    "true",
    "",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a runbook that writes what reached it into `got.json`, after it connected."""
    texts = ", ".join(f"text{number}" for number in range(len(HARMLESS)))
    cells = [
        nbformat.v4.new_code_cell(
            "\n".join(
                ["tag: str = ''", "count: int = 1", *(f"text{n}: str = ''" for n in range(len(HARMLESS)))]
            ),
            metadata={"tags": ["parameters"]},
        ),
        nbformat.v4.new_code_cell("from ecr_widgets import connect\n\nkit = connect()"),
        nbformat.v4.new_code_cell(f"import json; json.dump([{texts}], open('got.json', 'w'))"),
    ]
    book = nbformat.v4.new_notebook(cells=cells)
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, tmp_path / "book.ipynb")
    (tmp_path / "out").mkdir()
    return tmp_path


def call(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("door", [(*OURS,), (*ENGINE, "-r"), (*PLAIN, "-r")], ids=["ours", "engine", "plain"])
def test_text_is_kept_as_typed(folder: Path, door: tuple[str | Path, ...]) -> None:
    """Never a number, a truth, a template, a command or code."""
    *words, flag = door
    given = [word for number, text in enumerate(HARMLESS) for word in (flag, f"text{number}", text)]
    done = call(folder, *words, *given)
    assert done.returncode == 0, done.stderr
    assert json.loads((folder / "got.json").read_text()) == HARMLESS
    assert not (folder / "pwned").exists()


@pytest.mark.parametrize(
    "words",
    [
        (*OURS, "count", "1.5"),
        (*OURS, "count", "true"),
        (*OURS, "cuont", "1"),
        (*OURS, "tag=1;open('pwned','w')#", "1"),
        # Papermill reads -p as YAML would: these were numbers before our engine saw them.
        (*ENGINE, "-p", "tag", "1.10"),
        (*ENGINE, "-p", "tag", "012345678901"),
        (*ENGINE, "-p", "count", "many"),
        (*ENGINE, "-p", "cuont", "1"),
        (*ENGINE, "-p", "tag=1;open('pwned','w')#", "1"),
    ],
    ids=lambda words: " ".join(map(str, words[-2:])),
)
def test_a_wrong_name_or_type_is_refused_before_anything_is_written(
    folder: Path, words: tuple[str | Path, ...]
) -> None:
    """No kernel ran a cell, no file is left, and the message names the parameter."""
    done = call(folder, *words)
    assert done.returncode != 0
    assert "parameter" in done.stderr
    assert words[-2] in done.stderr
    assert [*(folder / "out").iterdir()] == []
    assert not (folder / "got.json").exists()
    assert not (folder / "pwned").exists()


@pytest.mark.parametrize(("name", "value"), [("tag", "1.10"), ("tag", "012345678901"), ("count", "many")])
def test_plain_papermill_stops_before_the_first_step(folder: Path, name: str, value: str) -> None:
    """What it made of the text is not what the runbook declares, and connecting says so."""
    done = call(folder, *PLAIN, "-p", name, value)
    assert done.returncode != 0
    assert f"parameter '{name}' refused" in done.stderr
    assert not (folder / "got.json").exists()
