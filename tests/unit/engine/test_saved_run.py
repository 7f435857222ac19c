"""A run's file on real disks, including full ones, and interrupted writes."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.adapters import folder_store
from ecr_widgets.engine.saved_run import CannotSave, SavedRun
from ecr_widgets.errors import InputError, TargetBusy


def notebook(text: str = "") -> dict[str, Any]:
    return {"cells": [{"text": text}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A 2 MB file system; skips if this user may not mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", folder], check=True)


def fill(folder: Path) -> None:
    """Fill the file system."""
    with (folder / "filler").open("wb", buffering=0) as file:
        size = 1 << 20
        while size:
            try:
                file.write(b"x" * size)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                size //= 2


def test_the_last_write_succeeds_on_a_disk_that_became_full(small_disk: Path) -> None:
    """The last write succeeds on a full disk, since the write before reserved room for it, and leaves no extra file."""
    path = small_disk / "run.ipynb"
    with SavedRun(notebook("intended"), path, redact=dict) as saved:
        saved.write()
        fill(small_disk)
        saved.notebook["cells"][0]["text"] = "succeeded" * 1000
        saved.write(last=True)
    assert json.loads(path.read_text())["cells"][0]["text"] == "succeeded" * 1000
    assert sorted(each.name for each in small_disk.iterdir()) == ["filler", "run.ipynb"]


def test_a_full_disk_is_an_error_and_the_last_good_file_stands(small_disk: Path) -> None:
    """A write to a full disk is an error; the last good file remains, without a partial one."""
    path = small_disk / "run.ipynb"
    with SavedRun(notebook("good"), path, redact=dict) as saved:
        saved.write()
        fill(small_disk)
        saved.notebook["cells"][0]["text"] = "x" * 600_000
        with pytest.raises(CannotSave, match="No space left"):
            saved.write()
        assert json.loads(path.read_text())["cells"][0]["text"] == "good"
    assert sorted(each.name for each in small_disk.iterdir()) == ["filler", "run.ipynb"]


def test_a_write_without_room_for_the_next_is_an_error(small_disk: Path) -> None:
    """A write is an error if the disk has no room for the write of its outcome."""
    path = small_disk / "run.ipynb"
    with (
        SavedRun(notebook("x" * 900_000), path, redact=dict) as saved,
        pytest.raises(InputError, match="No space"),
    ):
        saved.write()
    assert list(small_disk.glob("*.ipynb")) == []


def test_what_a_killed_attempt_left_is_swept(tmp_path: Path) -> None:
    """Temporary files of a killed attempt of this run are removed, not those of other runs."""
    for name in (".run.ipynb.abc.tmp", ".other.ipynb.abc.tmp"):
        (tmp_path / name).touch()
    with SavedRun(notebook(), tmp_path / "run.ipynb", redact=dict) as saved:
        saved.write()
    assert sorted(each.name for each in tmp_path.iterdir()) == [".other.ipynb.abc.tmp", "run.ipynb"]


def test_an_audit_that_looks_at_the_same_moment_makes_no_run_busy(tmp_path: Path) -> None:
    """An audit's short lock on a run does not make it busy; the run's own lock does."""
    lock = tmp_path / ".run.ipynb.lock"
    handle = os.open(lock, os.O_CREAT | os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_SH)
    look_away = threading.Timer(0.05, os.close, [handle])
    look_away.start()
    with SavedRun(notebook(), tmp_path / "run.ipynb", redact=dict):
        look_away.join()
        with pytest.raises(TargetBusy), SavedRun(notebook(), tmp_path / "run.ipynb", redact=dict):
            pass


def test_a_text_that_is_older_never_takes_the_place_of_a_newer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow write of older content does not replace the newer content of another thread."""
    slow, at_work, go_on = threading.current_thread(), threading.Event(), threading.Event()
    plain = folder_store.write_atomically

    def slowly(path: Path, content: bytes, **more: bool) -> None:
        if threading.current_thread() is slow:
            at_work.set()
            go_on.wait(0.3)  # not set while the other thread waits for its turn
        plain(path, content, **more)

    monkeypatch.setattr(folder_store, "write_atomically", slowly)
    path = tmp_path / "run.ipynb"
    with SavedRun(notebook("old"), path, redact=dict) as saved:

        def announce() -> None:
            at_work.wait()
            with saved.lock:
                saved.notebook["cells"][0]["text"] = "intended"
                saved.write()
            go_on.set()

        thread = threading.Thread(target=announce)
        thread.start()
        saved.write()
        thread.join()
        assert "intended" in path.read_text()


def test_a_run_that_was_gone_on_with_meanwhile_is_busy(tmp_path: Path) -> None:
    """If another process resumed the run in the meantime, it is busy; the other's content stays and the lock is released."""
    path = tmp_path / "run.ipynb"
    path.write_text("{}")
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    with SavedRun(notebook("other"), path, redact=dict, resumes=before) as saved:
        saved.write()
    with pytest.raises(TargetBusy), SavedRun(notebook(), path, redact=dict, resumes=before):
        pass
    assert "other" in path.read_text()
    with SavedRun(notebook(), path, redact=dict):
        pass


def test_what_other_killed_runs_left_is_swept_once_it_is_old(tmp_path: Path) -> None:
    """Old locks and temporary files that no run holds are removed; recent, held and other files stay."""
    with SavedRun(notebook(), tmp_path / "held.ipynb", redact=dict):
        for name in (
            ".a.ipynb.lock",
            ".a.ipynb.x.tmp",
            ".b.ipynb.y.tmp",
            ".held.ipynb.z.tmp",
            ".keep",
            "c.tmp",
        ):
            (tmp_path / name).touch()
        for path in tmp_path.iterdir():
            os.utime(path, (0, 0))
        (tmp_path / ".young.ipynb.x.tmp").touch()
        with SavedRun(notebook(), tmp_path / "run.ipynb", redact=dict):
            pass
        left = {path.name for path in tmp_path.iterdir()}
    assert left == {".held.ipynb.lock", ".held.ipynb.z.tmp", ".keep", "c.tmp", ".young.ipynb.x.tmp"}


def test_a_saved_run_has_the_rights_of_this_users_files(tmp_path: Path) -> None:
    """A new file follows the umask, and a later change of its mode is kept."""
    path = tmp_path / "run.ipynb"
    before = os.umask(0o027)
    try:
        with SavedRun(notebook(), path, redact=dict) as saved:
            saved.write()
            assert path.stat().st_mode & 0o777 == 0o640
            path.chmod(0o600)
            saved.write()
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_an_editor_saves_meanwhile_is_replaced(tmp_path: Path) -> None:
    """If an editor saves or deletes the running notebook, the run's next write restores it."""
    path = tmp_path / "run.ipynb"
    with SavedRun(notebook("intended"), path, redact=dict) as saved:
        saved.write()
        for meddle in (lambda: path.write_text("{}"), path.unlink):
            meddle()
            saved.write()
            assert "intended" in path.read_text()


def test_a_run_that_lost_its_lock_writes_over_nobody(tmp_path: Path) -> None:
    """A run that lost its lock stops writing when another process is saving the run."""
    path = tmp_path / "run.ipynb"
    with SavedRun(notebook("old"), path, redact=dict) as saved:
        saved.write()
        (tmp_path / ".run.ipynb.lock").unlink()
        with SavedRun(notebook("new"), path, redact=dict) as other:
            other.write()
            with pytest.raises(CannotSave, match="another run is being saved there"):
                saved.write()
            assert "new" in path.read_text()


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOLCK, "its file system has no locks"),
        (errno.ENOSYS, "its file system has no locks"),
        (errno.ENOSPC, "free some space"),
    ],
)
def test_a_folder_where_nothing_can_be_locked_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, hint: str
) -> None:
    """Where the file system has no locks, as some of networks and clusters, the way out is to save elsewhere."""

    def refused(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refused)
    with pytest.raises(InputError, match=f"cannot be saved in .*; {hint}"):
        SavedRun(notebook(), tmp_path / "run.ipynb", redact=dict).__enter__()


def test_a_name_that_is_too_long_is_told_from_a_full_disk(tmp_path: Path) -> None:
    """A notebook whose name leaves no room for the run's id is to get a shorter name."""
    path = tmp_path / f"{'x' * 300}.ipynb"
    with pytest.raises(
        InputError, match="File name too long; give the notebook or the folder a shorter name"
    ):
        SavedRun(notebook(), path, redact=dict).__enter__()
