"""A folder as a store on incomplete file systems, or before it exists."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ecr_widgets.adapters import folder_store
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


def test_a_disk_without_room_for_the_next_write_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that cannot reserve room for the next one stores nothing, so the stamp before it still counts."""

    def full(_: int, __: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    store = FolderStore(tmp_path)
    stamp = store.put("a", b"1", replacing=None)
    with monkeypatch.context() as patch:
        patch.setattr(folder_store, "keep_room", full)
        with pytest.raises(OSError, match="No space left"):
            store.put("a", b"2", replacing=stamp, final=False)
    assert (tmp_path / "a").read_bytes() == b"1"
    store.put("a", b"3", replacing=stamp)


def test_a_folder_that_is_not_there_holds_no_names(tmp_path: Path) -> None:
    """A folder that does not exist yet has no names."""
    assert list(FolderStore(tmp_path / "runs").names()) == []
