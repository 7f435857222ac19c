"""Writing content to disk on systems with different calls for it."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from ecr_widgets import disk


@pytest.mark.parametrize("has_call", [True, False])
def test_room_is_kept_with_and_without_a_call_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_call: bool
) -> None:
    """Space is allocated with posix_fallocate, or on macOS, which has none, by writing zeros."""
    if not has_call:
        monkeypatch.delattr(os, "posix_fallocate")
    with (tmp_path / "room").open("wb") as file:
        disk.keep_room(file.fileno(), 300_000)
    assert (tmp_path / "room").stat().st_size == 300_000
    assert (tmp_path / "room").stat().st_blocks * 512 >= 300_000


@pytest.mark.parametrize("supported", [True, False])
def test_the_disks_own_cache_is_written_out_too_where_that_can_be_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, supported: bool
) -> None:
    """A full flush of the disk's cache is requested if the system has one; if that is not supported, fsync is used."""
    asked: list[str] = []

    def full(_: int, command: int) -> int:
        asked.append(f"full {command}")
        if not supported:
            raise OSError(errno.ENOTSUP, "not supported")
        return 0

    monkeypatch.setattr(disk, "_FULL", 51)
    monkeypatch.setattr(fcntl, "fcntl", full)
    monkeypatch.setattr(os, "fsync", lambda _: asked.append("plain"))
    disk.to_disk(0)
    assert asked == (["full 51"] if supported else ["full 51", "plain"])


def test_what_could_not_be_written_whole_leaves_the_old(tmp_path: Path) -> None:
    """A report on a full disk costs no earlier one, and nothing half is left; through a link its file is replaced."""
    path, link = tmp_path / "report.html", tmp_path / "link"
    link.symlink_to(path)
    for name, text in ((path, "old"), (link, "new")):
        with disk.writing_whole(name) as file:
            file.write_text(text)
    path.chmod(0o640)
    with pytest.raises(IsADirectoryError), disk.writing_whole(path) as file:
        file.parent.write_text("no file")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o640)
    assert sorted(tmp_path.iterdir()) == [link, path]
    # Not /dev/null, which root would lose if this failed.
    os.mkfifo(pipe := tmp_path / "pipe")
    with disk.writing_whole(pipe) as file:
        assert file == pipe


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_some_calls_keeps_files_anyway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Where flushing, reserving or permissions are not supported, as in some shared folders, files are still written."""

    def unsupported(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    def refused(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(disk, "_FULL", None)
    monkeypatch.setattr(os, "fsync", unsupported)
    monkeypatch.setattr(os, "posix_fallocate", unsupported, raising=False)
    monkeypatch.setattr(os, "fchmod", refused)
    for content in (b"old", b"new"):
        disk.write_atomically(tmp_path / "run", content)
    assert (tmp_path / "run").read_bytes() == b"new"
    with (tmp_path / "room").open("wb") as file:
        disk.keep_room(file.fileno(), 300_000)
    assert (tmp_path / "room").stat().st_size == 300_000


def test_a_disk_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the disk itself is not taken for a missing call."""

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(disk, "_FULL", None)
    monkeypatch.setattr(os, "fsync", broken)
    monkeypatch.setattr(os, "posix_fallocate", broken, raising=False)
    with (tmp_path / "room").open("wb") as file:
        for call in (disk.to_disk, lambda handle: disk.keep_room(handle, 10)):
            with pytest.raises(OSError, match="Input/output"):
                call(file.fileno())
