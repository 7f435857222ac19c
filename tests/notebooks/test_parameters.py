"""Parameters given to our command, to papermill with our engine and to plain papermill are kept as typed or refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests.faults import forked

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
    """A folder with a runbook that connects and then writes the values it got to `got.json`."""
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


def call(folder: Path, *words: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return forked.run(words, cwd=folder, env={**os.environ, **environ}, capture_output=True, text=True)


@pytest.mark.parametrize("door", [(*OURS,), (*ENGINE, "-r"), (*PLAIN, "-r")], ids=["ours", "engine", "plain"])
def test_text_is_kept_as_typed(folder: Path, door: tuple[str | Path, ...]) -> None:
    """Text is kept as typed, and is never read as a number, a boolean, a template, a command or code."""
    *words, flag = door
    given = [word for number, text in enumerate(HARMLESS) for word in (flag, f"text{number}", text)]
    done = call(folder, *words, *given)
    assert done.returncode == 0, done.stderr
    assert json.loads((folder / "got.json").read_text()) == HARMLESS
    assert not (folder / "pwned").exists()


def test_a_choice_of_texts_is_no_unknown_parameter(tmp_path: Path) -> None:
    """A parameter with a choice of texts gives no warning on stderr with our engine; plain papermill still warns."""
    cells = [
        nbformat.v4.new_code_cell(
            "from typing import Literal\n\non_failure: Literal['stop', \"rollback\"] = 'stop'",
            metadata={"tags": ["parameters"]},
        ),
        nbformat.v4.new_code_cell("print(on_failure)"),
    ]
    book = nbformat.v4.new_notebook(cells=cells)
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, tmp_path / "book.ipynb")
    source = (
        "from pathlib import Path; from ecr_widgets.engine.run import run_runbook\n"
        "run_runbook(Path('book.ipynb'), {'on_failure': 'rollback'}, runs=Path('out'))"
    )
    quiet = call(tmp_path, sys.executable, "-c", source)
    assert (quiet.returncode, quiet.stderr) == (0, "")
    # Only while papermill itself says it is there anything to hold back.
    (tmp_path / "plain").mkdir()
    plain = call(
        tmp_path,
        BIN / "papermill",
        "book.ipynb",
        "plain/book.ipynb",
        "-k",
        "python3",
        "-p",
        "on_failure",
        "stop",
    )
    assert "Passed unknown parameter: on_failure" in plain.stderr


@pytest.mark.parametrize(
    "words",
    [
        (*OURS, "count", "1.5"),
        (*OURS, "count", "true"),
        (*OURS, "cuont", "1"),
        (*OURS, "tag=1;open('pwned','w')#", "1"),
        (*OURS, "tag", "1", "-p", "tag", "2"),
        # Papermill reads -p as YAML does: these were numbers before our engine saw them.
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
    """A wrong name or type is refused with the parameter's name before anything is run or written."""
    done = call(folder, *words)
    assert done.returncode != 0
    assert "parameter" in done.stderr
    assert words[-2] in done.stderr
    assert [*(folder / "out").iterdir()] == []
    assert not (folder / "got.json").exists()
    assert not (folder / "pwned").exists()


def test_code_in_a_name_is_refused_whatever_the_cell_declares(folder: Path) -> None:
    """A parameter name that is not an identifier is refused, even if the cell declares no types."""
    book = nbformat.read(folder / "book.ipynb", as_version=4)
    book.cells[0].source = "tag = ''\nreason = ''"
    nbformat.write(book, folder / "book.ipynb")
    code = "reason='x';import os;os.system('touch pwned');y"
    for name in (code, "class", "a b"):
        done = call(folder, *ENGINE, "-r", name, "1")
        assert done.returncode != 0
        assert "it is not a name" in done.stderr
        assert not (folder / "pwned").exists()
        assert [*(folder / "out").iterdir()] == []


CANARY = "a-canary-that-nobody-may-see-4711"


@pytest.mark.parametrize(
    "words",
    [
        (*OURS, "count", CANARY),
        (*OURS, CANARY, "1"),
        (*OURS, "tag", "1", "-p", "count", f"x {CANARY}"),
        (*OURS, "tag", "1", "-f", "values.yaml"),
        (*OURS, "tag", "1", "-f", "broken.yaml"),
        (*OURS, "tag", "1", "--slot", CANARY + "/"),
        (*ENGINE, "-r", "count", CANARY),
    ],
    ids=lambda words: " ".join(map(str, words[-2:])),
)
def test_a_secret_of_the_environment_is_refused_and_shown_nowhere(
    folder: Path, words: tuple[str | Path, ...]
) -> None:
    """A secret of the environment in a parameter is refused, and shown neither on the terminal nor in the notice."""
    (folder / "values.yaml").write_text(f"count: {CANARY}\n")
    (folder / "broken.yaml").write_text(f"count: '{CANARY}\n")
    done = call(
        folder,
        *words,
        AWS_SECRET_ACCESS_KEY=CANARY,
        ECR_WIDGETS_NOTIFY_COMMAND="sh -c 'cat > told.json'",
    )
    assert done.returncode != 0
    assert CANARY not in done.stdout + done.stderr
    told = (folder / "told.json").read_text()
    assert json.loads(told)["state"] == "refused"
    assert CANARY not in told
    assert [*(folder / "out").iterdir()] == []


def test_a_name_that_a_file_gives_twice_is_refused(folder: Path) -> None:
    """A name that a parameter file gives twice, at any depth, is refused."""
    for text in ("tag: a\ntag: b\n", "tag: {a: 1, a: 2}\n"):
        (folder / "values.yaml").write_text(text)
        done = call(folder, *OURS[:-1], "-f", "values.yaml")
        assert done.returncode == 2
        assert "a name appears twice in line 1" in done.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("-p", "count", "0"), "'count' refused: 0 is not 1 or more"),
        (("-p", "cuont", "3"), "declares no parameter 'cuont'; did you mean 'count'"),
        (("-y", "tag: null"), "'tag' refused: None is not of type str"),
    ],
)
def test_plain_papermill_is_held_to_limits_and_names(folder: Path, words: tuple[str, str], why: str) -> None:
    """With plain papermill, `connect()` refuses parameters that break the declared limits or names."""
    book = nbformat.read(folder / "book.ipynb", as_version=4)
    book.cells[0].source = "tag: str = ''  # tag\ncount: int = 1  # copies, 1 or more"
    book.cells[2].source = "open('got.json', 'w').close()"
    nbformat.write(book, folder / "book.ipynb")
    done = call(folder, *PLAIN, *words)
    assert done.returncode != 0
    assert why in done.stderr
    assert not (folder / "got.json").exists()


@pytest.mark.parametrize(("name", "value"), [("tag", "1.10"), ("tag", "012345678901"), ("count", "many")])
def test_plain_papermill_stops_before_the_first_step(folder: Path, name: str, value: str) -> None:
    """With plain papermill, `connect()` refuses values of another type than declared."""
    done = call(folder, *PLAIN, "-p", name, value)
    assert done.returncode != 0
    assert f"parameter '{name}' refused" in done.stderr
    assert not (folder / "got.json").exists()


FOREIGN = """import os
from typing import Optional
retries: Optional[int] = None
timeout_s = 60 * 60
stage = os.environ.get("STAGE", "dev")
if stage == "dev":
    copies = 1
"""


@pytest.mark.parametrize("words", [OURS[:-1], ENGINE, PLAIN], ids=["ours", "engine", "plain"])
def test_a_notebook_of_another_form_runs_with_its_computed_values(
    tmp_path: Path, words: tuple[str | Path, ...]
) -> None:
    """In a notebook of another form, computed defaults stay and given values replace them, with each way to run it."""
    cells = [
        nbformat.v4.new_code_cell(FOREIGN, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(
            "import json; json.dump([retries, timeout_s, stage, copies], open('got.json', 'w'))"
        ),
    ]
    book = nbformat.v4.new_notebook(cells=cells)
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, tmp_path / "book.ipynb")
    (tmp_path / "out").mkdir()
    given = [word for name, text in (("retries", "5"), ("copies", "3")) for word in ("-p", name, text)]
    done = call(tmp_path, *words, *given, STAGE="test")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "got.json").read_text()) == [5, 3600, "test", 3]
