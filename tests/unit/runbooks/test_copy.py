"""Copying the shipped runbooks for editing."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from ecr_widgets.cli import main
from ecr_widgets.runbooks import read_runbook, shipped_folder


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] not in (".ipynb_checkpoints", "runs")
    }


def test_a_copy_has_every_file_and_runs(tmp_path: Path) -> None:
    """A copy has every runbook and the files that they name, prints each path, and can be read."""
    done = CliRunner().invoke(main, ["runbooks", "copy", str(tmp_path / "new" / "books")])
    copied = files_in(tmp_path / "new" / "books")
    assert (done.exit_code, copied) == (0, files_in(shipped_folder()))
    assert set(done.stdout.splitlines()) == {str(tmp_path / "new" / "books" / name) for name in copied}
    assert read_runbook(tmp_path / "new" / "books" / "release.ipynb").name == "release"


def test_an_edited_file_is_left_alone_and_that_is_said(tmp_path: Path) -> None:
    """A second copy keeps an edited file and says so, and adds a missing one."""
    CliRunner().invoke(main, ["runbooks", "copy", str(tmp_path)])
    mine, gone = tmp_path / "wait" / "Dockerfile.wait", tmp_path / "release.ipynb"
    mine.write_text("FROM mine")
    gone.unlink()
    done = CliRunner().invoke(main, ["runbooks", "copy", str(tmp_path)])
    assert mine.read_text() == "FROM mine"
    assert (done.exit_code, done.stdout) == (0, f"{gone}\n")
    assert f"already exists, kept: {mine}\n" in done.stderr


def test_only_what_is_shipped_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What use left in the shipped folder, such as saved runs, checkpoints and .env files, is not copied."""
    for name in ("a.ipynb", "wait/b", "runs/c.ipynb", ".ipynb_checkpoints/d.ipynb", ".env", "wait/.env"):
        path = tmp_path / "shipped" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    monkeypatch.setattr("ecr_widgets.runbooks.shipped_folder", lambda: tmp_path / "shipped")
    CliRunner().invoke(main, ["runbooks", "copy", str(tmp_path / "copied")])
    assert set(files_in(tmp_path / "copied")) == {"a.ipynb", "wait/b"}


@pytest.mark.parametrize("where", ["file/books", "/proc/books"])
def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path, where: str) -> None:
    """If the target folder cannot be made, the error is one line with the path and the reason, and exit code 2."""
    (tmp_path / "file").write_text("")
    done = CliRunner().invoke(main, ["runbooks", "copy", str(tmp_path / where)])
    assert done.exit_code == 2
    assert done.stderr.startswith("ecr-widgets: runbooks cannot be copied to '")
    assert done.stderr.endswith("; give another folder\n")
