"""The form that a runbook must have, and that a new one has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ecr_widgets.cli import main
from ecr_widgets.errors import InputError
from ecr_widgets.runbooks import Runbook, list_runbooks, read_runbook
from ecr_widgets.runbooks.form import check_form
from ecr_widgets.runbooks.template import new_runbook

AWS_KEY_ID = "AKIA" + "ABCDEFGHIJKLMNOP"


def written(folder: Path, **changes: Any) -> Path:
    """Write a new runbook; `parameters`, `step` and `title` replace a cell's source."""
    book = new_runbook("mine")
    places = {"title": 0, "note": 1, "parameters": 2, "step": 7, "word": 4, "check": 5}
    for name, source in changes.items():
        book["cells"][places[name]]["source"] = source
    path = folder / "mine.ipynb"
    path.write_text(json.dumps(book))
    return path


@pytest.mark.parametrize("path", [book.path for book in list_runbooks()], ids=lambda path: path.stem)
def test_every_shipped_runbook_has_the_form(path: Path) -> None:
    """Every shipped runbook passes the check of its form."""
    assert check_form(path) == ()


def test_a_new_runbook_passes(tmp_path: Path) -> None:
    """A new runbook passes the check and can be read with its parameters."""
    path = written(tmp_path)
    assert check_form(path) == ()
    assert [each.name for each in read_runbook(path).parameters] == ["repository", "reference"]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"title": "no title"}, "does not begin with a title"),
        ({"title": "# Only a title"}, "does not state its purpose"),
        ({"note": "nothing"}, "no operation note"),
        ({"parameters": "repository = 'a'\nreference: str = 'b'  # x"}, "'repository' has no type"),
        ({"parameters": "repository: str = 'a'  # x\nreference: str = 'b'"}, "'reference' has no comment"),
        ({"parameters": "repository: str = 1  # x\nreference: str = 'b'  # x"}, "is not of type str"),
        ({"parameters": "repository: str = open('x')  # x\nreference: str = ''  # x"}, "not a plain value"),
        (
            {
                "parameters": "repository: str = ''  # x\nreference: str = ''  # x\npassword: str = 'hunter22'  # x"
            },
            "password",
        ),
        ({"step": "if repository:\n    found = kit.find_image(repository, reference)"}, "is logic (If)"),
        ({"step": "found = kit.find_image(repository or 'a', reference)"}, "is logic (BoolOp)"),
        ({"step": "found = [kit.find_image(r, reference) for r in repository]"}, "is logic (ListComp)"),
        ({"step": "def f(): pass"}, "is logic (FunctionDef)"),
        (
            {"step": "found = kit.find_image(repositry, reference)"},
            "'repositry' is used and not declared",
        ),
        ({"step": "found = kit.find_image(repository,"}, "is not Python"),
        ({"word": f"The key is {AWS_KEY_ID}."}, "line 1 holds a text that looks like an AWS access key id"),
        (
            {"step": 'import os\n\nos.environ["AWS_SECRET_ACCESS_KEY"] = "hunter22hunter22"'},
            "line 3 holds a text that is a secret by its name",
        ),
        ({"step": 'found = kit.find_image(repository, token="hunter22hunter22")'}, "a secret by its name"),
        ({"step": 'found = kit.run({"DB_PASSWORD": "hunter22hunter22"})'}, "a secret by its name"),
        ({"step": f'found = kit.find_image(repository, "{AWS_KEY_ID}")'}, "looks like an AWS access key id"),
        (
            {"word": "Send `X-Api-Key: hunter22hunter22` with it."},
            "line 1 holds a text that looks like a password",
        ),
        (
            {"word": "Normal:\n\n    curl -u me:hunter22 https://x"},
            "line 3 holds a text that looks like a user and",
        ),
        (
            {"step": f"found = kit.find_image(repository, reference)  # as {AWS_KEY_ID}"},
            "line 1 holds a text that looks like an AWS access key id",
        ),
        ({"step": f'found = kit.find_image(repository, b"{AWS_KEY_ID}")'}, "looks like an AWS access key id"),
        ({"step": 'import os\n\nos.system("ls")'}, "line 3 calls os.system"),
        ({"step": 'exec("x = 1")'}, "line 1 calls exec"),
        (
            {"step": "a = kit.find_image(repository, reference)\nb = kit.login()"},
            "it calls 2 steps",
        ),
        ({"check": "target = kit.login()"}, "nothing checks the target"),
        (
            {
                "parameters": "repository: str = ''  # x\nreference: str = ''  # x\nenv: dict = {'a': {'TOKEN': 'hunter22'}}  # x"
            },
            "its 'TOKEN' is a secret by its name",
        ),
    ],
)
def test_what_breaks_the_form_is_named(tmp_path: Path, changes: dict[str, str], what: str) -> None:
    """A breach of the form is reported."""
    assert any(what in str(breach) for breach in check_form(written(tmp_path, **changes)))


def test_a_cell_that_python_cannot_read_ends_the_check_with_an_error_of_ours(tmp_path: Path) -> None:
    """A cell that is too deep for Python's parser ends the check with an InputError, not a traceback."""
    with pytest.raises(InputError, match="recursion"):
        check_form(written(tmp_path, step="found = kit" + ".a" * 20_000 + "()"))


def test_outputs_left_in_and_steps_without_a_word_are_named(tmp_path: Path) -> None:
    """Saved outputs, a step without text before it and a missing parameters cell are reported."""
    book = new_runbook("mine")
    book["cells"][7]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x"}]
    del book["cells"][6]
    book["cells"][2]["metadata"] = {}
    path = tmp_path / "mine.ipynb"
    path.write_text(json.dumps(book))
    told = " / ".join(map(str, check_form(path)))
    assert "it has saved outputs" in told
    assert "nothing says what to expect" in told
    assert "0 cells are tagged" in told


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cannot be read: No such file"),
        ("no", "is not a notebook"),
        ('{"cells":' + "[" * 100_000, "is not a"),
    ],
)
def test_what_is_no_notebook_is_refused(tmp_path: Path, content: str | None, why: str) -> None:
    """A file that is not a notebook is refused with a reason by the check and by the reader."""
    path = tmp_path / "x.ipynb"
    if content is not None:
        path.write_text(content)
    for read in (check_form, read_runbook):
        with pytest.raises(InputError, match=why):
            read(path)


def test_the_command_makes_and_checks(tmp_path: Path) -> None:
    """`runbooks new` never overwrites a file; `runbooks check` exits with 1 for breaches and 2 for a file that is no notebook."""
    run = CliRunner().invoke
    folder = str(tmp_path)
    path = str(tmp_path / "mine.ipynb")
    assert run(main, ["runbooks", "new", "mine", "--folder", folder]).output == path + "\n"
    assert run(main, ["runbooks", "new", "mine", "--folder", folder]).exit_code == 2
    assert run(main, ["runbooks", "new", "../mine", "--folder", folder]).exit_code == 2
    shadowing = run(main, ["runbooks", "new", "deploy", "--folder", folder])
    assert (shadowing.exit_code, "would run the shipped runbook" in shadowing.output) == (2, True)
    assert run(main, ["runbooks", "check", path]).exit_code == 0
    written(tmp_path, step="1 + 1")
    done = run(main, ["runbooks", "check", path])
    assert (done.exit_code, "cell 8: line 1 is logic (BinOp)" in done.output) == (1, True)
    (tmp_path / "no.ipynb").write_text("{}")
    assert run(main, ["runbooks", "check", str(tmp_path / "no.ipynb")]).exit_code == 2


@pytest.mark.parametrize("book", list_runbooks(), ids=lambda book: book.name)
def test_help_of_a_runbook_tells_its_whole_cell(book: Runbook) -> None:
    """A runbook's help has its title, and the type, default and comment of each parameter."""
    told = CliRunner().invoke(main, ["run", book.name, "--help"])
    assert told.exit_code == 0
    assert book.title in told.output
    for each in book.parameters:
        line = next(line for line in told.output.splitlines() if line.strip().startswith(f"{each.name}: "))
        assert each.type in line
        assert f"= {each.default!r}" in line
        assert each.comment in line


def test_what_a_run_refuses_is_not_called_good(tmp_path: Path) -> None:
    """A cell that VS Code has saved as another language is refused by the check, too, even if it is valid Python."""
    path = written(tmp_path)
    book = json.loads(path.read_text())
    book["cells"][7]["metadata"]["vscode"] = {"languageId": "julia"}
    path.write_text(json.dumps(book))
    with pytest.raises(InputError, match="cell 8 is julia, as VS Code has saved it"):
        check_form(path)
