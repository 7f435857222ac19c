"""A folder as a store on incomplete file systems, or before it exists."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ecr_widgets.adapters.folder_store import FolderStore
from ecr_widgets.errors import Replaced


def test_a_new_name_is_taken_once_where_there_are_no_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without hard links, as on FAT, a new name is still created only once, and no temporary file remains."""

    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    store = FolderStore(tmp_path)
    store.put("a", b"1", replacing=None)
    with pytest.raises(Replaced):
        store.put("a", b"2", replacing=None)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"1"}


def test_a_folder_that_is_not_there_holds_no_names(tmp_path: Path) -> None:
    """A folder that does not exist yet has no names."""
    assert list(FolderStore(tmp_path / "runs").names()) == []
