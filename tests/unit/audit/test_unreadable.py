"""Saved runs that this user may not read: that is what is said of them, and not that they were changed or are gone."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from ecr_widgets.audit.chain_head import heads_of
from ecr_widgets.audit.findings import Verification
from ecr_widgets.audit.index import open_index
from ecr_widgets.audit.keys import KeyRing
from ecr_widgets.audit.scan import scan
from ecr_widgets.audit.sealing import seal_missing, seal_run
from ecr_widgets.audit.verify import verify
from ecr_widgets.cli import main
from tests.audit.runs import recorded, save

NOW = datetime(2026, 11, 1, tzinfo=UTC)
_SOMEBODY = 61001


class Folder:
    """A runs folder and its keys, which belong to a user for whom permissions count; root may be that user."""

    def __init__(self, path: Path) -> None:
        self.path, self.runs, self.ring = path, path / "runs", KeyRing(path / "keys")

    def seal_all(self) -> None:
        """Seal the runs in the folder itself, and those of a subfolder where they were saved."""
        for place, name in (("", "here.ipynb"), ("sub", "there.ipynb")):
            notebook = recorded("deployed")
            notebook["metadata"]["ecr_widgets"]["run_id"] = name
            save(self.runs / place, "deployed", name, notebook)
        seal_run(self.runs / "sub", "there.ipynb", ring=self.ring, now=NOW)
        seal_missing(self.runs, ["here.ipynb"], ring=self.ring, now=NOW)

    @contextmanager
    def owner(self) -> Iterator[None]:
        """Do as the user to whom the folder belongs."""
        if os.geteuid() != 0:
            yield
            return
        for each in (self.path, *self.path.rglob("*")):
            os.chown(each, _SOMEBODY, -1)
        os.seteuid(_SOMEBODY)
        try:
            yield
        finally:
            os.seteuid(0)

    def verify(self, **more: object) -> Verification:
        return verify(self.runs, [name for name, _ in scan(self.runs)], ring=self.ring, **more)  # type: ignore[arg-type]


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    # Not below pytest's own folder, which is this user's alone.
    path = Path(tempfile.mkdtemp(prefix="unread-", dir="/tmp"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(path / "data"))
    made = Folder(path)
    made.seal_all()
    yield made
    for each in (path / "runs", path / "runs" / "sub"):
        each.chmod(0o700)
    shutil.rmtree(path)


def test_a_sealed_run_that_may_not_be_read_is_not_called_changed(folder: Folder) -> None:
    """Nothing says whether an unreadable run was changed: it is `unreadable`, with the reason, and not in order."""
    (folder.runs / "here.ipynb").chmod(0)
    with folder.owner():
        found = folder.verify()
    assert not found.ok
    told = {each.path: (each.finding.value, *each.what) for each in found.files}
    assert told["here.ipynb"] == ("unreadable", "it cannot be read: Permission denied")
    assert told["sub/there.ipynb"] == ("intact",)


def test_runs_below_a_folder_that_may_not_be_listed_are_not_called_missing(folder: Folder) -> None:
    """A run that was sealed in the folder above, and a head of the folder's own chain, say nothing of what cannot be seen."""
    seal_run(folder.runs, "sub/there.ipynb", ring=folder.ring, now=NOW)
    heads = heads_of(folder.runs)
    (folder.runs / "sub").chmod(0)
    with folder.owner():
        found = folder.verify(head=heads)
    assert {each.path: each.finding.value for each in found.files} == {
        "here.ipynb": "intact", "sub/": "unreadable", "sub/there.ipynb": "unreadable",
    }  # fmt: skip
    assert found.chain == ()
    assert not found.ok


def test_a_link_in_the_place_of_a_sealed_run_is_a_change(folder: Folder) -> None:
    """Another file that a link leads to is not what was sealed, even if its content is the same."""
    (folder.runs / "here.ipynb").rename(folder.path / "elsewhere.ipynb")
    (folder.runs / "here.ipynb").symlink_to(folder.path / "elsewhere.ipynb")
    with folder.owner():
        told = {each.path: (each.finding.value, *each.what) for each in folder.verify().files}
    assert told["here.ipynb"] == ("changed", "it is a symbolic link now")


LISTS: dict[str, Callable[[Path], list[str]]] = {
    "list": lambda _: ["list", "--since", "7d"],
    "list as JSON": lambda _: ["list", "--json"],
    "figures": lambda _: ["figures"],
    "report": lambda folder: ["report", "--out", str(folder / "report.html")],
}


@pytest.mark.parametrize("words", LISTS.values(), ids=LISTS)
def test_a_list_from_which_runs_are_missing_is_no_success(
    folder: Folder, words: Callable[[Path], list[str]]
) -> None:
    """What can be read is listed, stderr names the folder that cannot be, whatever is asked for, and the exit code is 1."""
    asked = ["audit", *words(folder.path), "--runs", str(folder.runs)]
    with folder.owner():
        assert CliRunner().invoke(main, asked).exit_code == 0
    (folder.runs / "sub").chmod(0)
    with folder.owner():
        done = CliRunner().invoke(main, asked)
    assert done.exit_code == 1
    assert "what is in 'sub/' is missing here: it cannot be listed: Permission denied" in done.stderr
    assert done.stdout


def test_a_folder_that_can_be_listed_again_is_missing_no_more(folder: Folder) -> None:
    """The index does not keep that a folder could not be listed."""
    (folder.runs / "sub").chmod(0)
    with folder.owner():
        with open_index(folder.runs, ring=folder.ring) as index:
            assert [each.path for each in index.unlisted()] == ["sub/"]
        (folder.runs / "sub").chmod(0o700)
        with open_index(folder.runs, ring=folder.ring) as index:
            assert index.unlisted() == ()
            assert {row.path for row in index.rows()} == {"here.ipynb", "sub/there.ipynb"}
