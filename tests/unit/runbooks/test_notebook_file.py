"""What a notebook is read from, and what is said of files that are none."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from ecr_widgets.errors import InputError
from ecr_widgets.runbooks import read_runbook
from ecr_widgets.runbooks.notebook_file import read_notebook

PATH = Path("x.ipynb")
SOURCE = "tag: str = 'é☃'  # a tag"
CELL = {"cell_type": "code", "source": SOURCE, "metadata": {"tags": ["parameters"]}, "outputs": []}


def book(cell: object = CELL, **more: Any) -> dict[str, Any]:
    return {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5} | more


TEXT = json.dumps(book(), ensure_ascii=False, indent=1)


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        TEXT.encode("utf-16"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-32"),
        TEXT.replace("\n", "\r\n").encode(),
        json.dumps(book({**CELL, "source": [SOURCE]}, nbformat_minor=0)).encode(),
    ],
)
def test_a_notebook_is_read_in_any_encoding_of_json(content: bytes, tmp_path: Path) -> None:
    """A byte order mark, UTF-16, Windows line ends and sources in lines make no difference."""
    (cell,) = read_notebook(content, PATH)["cells"]
    assert cell["source"] == SOURCE
    (tmp_path / PATH).write_bytes(content)
    assert [each.name for each in read_runbook(tmp_path / PATH).parameters] == ["tag"]


@pytest.mark.parametrize(
    ("kernel", "left"),
    [
        ("python3", None),
        ({"name": 5}, None),
        ({"name": "mine"}, {"name": "mine", "display_name": "mine"}),
        ({"name": "mine", "display_name": "Mine"}, {"name": "mine", "display_name": "Mine"}),
    ],
)
def test_a_kernel_that_nbformat_does_not_take_is_left_out(kernel: object, left: object) -> None:
    """Else the saved run would not be a valid notebook."""
    read = read_notebook(json.dumps(book(metadata={"kernelspec": kernel})).encode(), PATH)
    assert read["metadata"].get("kernelspec") == left


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_notebook_of_an_older_format_is_a_runbook(encoding: str, tmp_path: Path) -> None:
    """Formats 2 and 3, in which cells are on worksheets, are converted."""
    v3 = nbformat.v3.new_code_cell("x = 1", metadata={"tags": ["parameters"]})
    old = nbformat.v3.new_notebook(worksheets=[nbformat.v3.new_worksheet(cells=[v3])])
    v2 = nbformat.v2.new_notebook(
        worksheets=[nbformat.v2.new_worksheet(cells=[nbformat.v2.new_code_cell("x = 1")])]
    )
    for each in (old, v2):
        (tmp_path / PATH).write_bytes(json.dumps(each).encode(encoding))
        assert read_runbook(tmp_path / PATH).name == "x"
        assert read_notebook((tmp_path / PATH).read_bytes(), PATH)["cells"][0]["source"] == "x = 1"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the file is empty"),
        (b" \n", "the file is empty"),
        (b"{", "it is not JSON: .* in line 1"),
        (TEXT[:-5].encode(), "it is not JSON: .* in line 1"),
        (b'{"cells": "\xff"}', "not text in UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": 1' + b"0" * 5_000 + b"}", "cannot be read"),
        (b"[]", "not an object"),
        (b"{}", "no list of cells"),
        (book(nbformat=5), "nbformat is 5, and this release reads 4"),
        (book(nbformat="4"), "nbformat is '4'"),
        (book(nbformat=3, cells="x"), "nbformat cannot convert it from nbformat 3"),
        (book(nbformat_minor="x"), "nbformat_minor is 'x'"),
        (book(metadata=[]), "its metadata is not an object"),
        (book(cells={}), "no list of cells"),
        (book(1), "cell 1 is not an object"),
        (book({**CELL, "cell_type": "heading"}), "cell 1 has the type 'heading', and not one of code"),
        (book({**CELL, "cell_type": None}), "cell 1 has the type None"),
        (book({**CELL, "source": None}), "cell 1 has no source"),
        (book({**CELL, "source": ["a", 1]}), "cell 1 has no source, or one that is not text"),
        (book({**CELL, "source": "a = '\ud800'"}), r"cell 1 holds half a character: '\\ud800'"),
        (book({**CELL, "metadata": []}), "metadata of cell 1 is not an object"),
        (book({**CELL, "metadata": {"tags": "parameters"}}), "tags of cell 1 are not a list"),
        (book({**CELL, "metadata": {"tags": [1]}}), "tags of cell 1 are not a list"),
    ],
)
def test_what_is_no_notebook_is_refused_in_words(content: bytes | dict[str, Any], why: str) -> None:
    """The reason names the cell and what is wrong with it, in words of a notebook and not of Python."""
    if isinstance(content, dict):
        content = json.dumps(content).encode()
    with pytest.raises(InputError, match=f"'x.ipynb' is not a notebook: .*{why}"):
        read_notebook(content, PATH)


def test_our_own_metadata_of_the_wrong_type_is_refused(tmp_path: Path) -> None:
    """An approval that is written where it has no effect is refused instead of ignored."""
    (tmp_path / PATH).write_text(json.dumps(book(metadata={"ecr_widgets": "approval: required"})))
    with pytest.raises(InputError, match="ecr_widgets in its metadata is 'approval: required', and not an"):
        read_runbook(tmp_path / PATH)
