"""A desk: a user's own folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecr_widgets.desk import folder as module
from ecr_widgets.desk.folder import START, prepare, show_page
from ecr_widgets.errors import InputError
from ecr_widgets.runbooks import list_runbooks, shipped_files, shipped_folder


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    prepare(tmp_path / "desk")
    return tmp_path / "desk"


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The files that the next release ships."""
    files = {name: content + b"\n" for name, content in shipped_files()}
    monkeypatch.setattr(module, "shipped_files", lambda: iter(files.items()))
    return files


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(autouse=True)
def _nothing_is_written_into_the_shipped_folder() -> Iterator[None]:
    before = contents(shipped_folder())
    yield
    assert contents(shipped_folder()) == before


def test_a_desk_has_the_runbooks_a_form_of_each_and_a_start_page(desk: Path) -> None:
    """A desk has the shipped runbooks and their files, a form for each, a start page and a folder for runs."""
    for name, content in shipped_files():
        assert (desk / "runbooks" / name).read_bytes() == content
    assert {path.stem for path in (desk / "forms").glob("*.ipynb")} == {book.name for book in list_runbooks()}
    assert "open_desk()" in (desk / START).read_text()
    assert (desk / "runs").is_dir()


def test_a_form_names_the_copy_of_its_runbook_and_the_desks_runs(desk: Path) -> None:
    """A form refers to the desk's copy of its runbook and to the desk's runs by relative paths."""
    (cell,) = json.loads((desk / "forms" / "release.ipynb").read_text())["cells"]
    for path in ("../runbooks/release.ipynb", "../runs"):
        assert path in cell["source"]
        assert (desk / "forms" / path).exists()


def test_a_newer_release_renews_what_nobody_has_changed(desk: Path, newer: dict[str, bytes]) -> None:
    """A newer release updates unchanged files; changed ones are kept and reported, and deleted ones stay deleted."""
    own, deleted = desk / "runbooks" / "deploy.ipynb", desk / "runbooks" / "audit.ipynb"
    own.write_text("mine")
    deleted.unlink()
    for _ in range(2):
        assert prepare(desk).kept == (own,)
        assert own.read_text() == "mine"
        assert not deleted.exists()
        assert (desk / "runbooks" / "release.ipynb").read_bytes() == newer["release.ipynb"]


def test_what_the_user_has_changed_is_not_named_before_there_is_a_newer_one(desk: Path) -> None:
    """A changed file is not reported until the release has a newer version of it."""
    (desk / "runbooks" / "deploy.ipynb").write_text("mine")
    assert prepare(desk).kept == ()


def test_a_folder_with_files_of_the_same_names_keeps_them(tmp_path: Path) -> None:
    """Existing files with a shipped file's name are kept and reported."""
    own = tmp_path / "runbooks" / "deploy.ipynb"
    own.parent.mkdir()
    own.write_text("mine")
    assert prepare(tmp_path).kept == (own,)
    assert own.read_text() == "mine"


def test_the_page_is_shown_in_its_cell_and_what_is_beside_it_stays(desk: Path) -> None:
    """The page is shown in its own cell of START; other cells, and a START without that cell, are left unchanged."""
    start = desk / START
    notebook = json.loads(start.read_text())
    notebook["cells"].append({"cell_type": "markdown", "id": "own", "metadata": {}, "source": "mine"})
    start.write_text(json.dumps(notebook))
    show_page(prepare(desk), {"text/html": "<b>page</b>", "text/plain": "page"})
    page, own = json.loads(start.read_text())["cells"]
    assert page["outputs"][0]["data"]["text/html"] == "<b>page</b>"
    assert own["source"] == "mine"
    for text in ('{"cells": []}', "no JSON"):
        start.write_text(text)
        show_page(prepare(desk), {"text/plain": "page"})
        assert start.read_text() == text


def test_the_shipped_folder_is_no_desk() -> None:
    """The shipped folder, and a folder in it, are refused as a desk."""
    for folder in (shipped_folder(), shipped_folder() / "desk"):
        with pytest.raises(InputError, match="shipped runbooks"):
            prepare(folder)


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """A path that cannot be created is refused with a hint."""
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="give another folder"):
        prepare(tmp_path / "file" / "desk")
