"""A run's private folder, and what killed runs leave behind."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ecr_widgets import private_folder
from ecr_widgets.engine.run_folder import RunFolder


@pytest.fixture(autouse=True)
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    return tmp_path / "tmp"


def left_behind(base: Path) -> Path:
    """Return the folder, with a login in it, that a killed process left behind."""
    code = (
        f"import tempfile; tempfile.tempdir = {str(base)!r}\n"
        "from ecr_widgets.engine.run_folder import RunFolder\n"
        "import os; folder = RunFolder({}).path; (folder / 'config.json').write_text('login')\n"
        "print(folder, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    return Path(done.stdout.strip())


def test_the_next_run_removes_what_a_killed_one_left(base: Path) -> None:
    """A new run removes the folder of a killed run, but not that of a running one; each is accessible only to its user."""
    going_on = RunFolder({})
    left = left_behind(base)
    assert left.is_dir()
    mine = RunFolder({})
    assert sorted(base.iterdir()) == sorted((going_on.path, mine.path))
    for each in (going_on, mine):
        assert stat.S_IMODE(each.path.stat().st_mode) == 0o700
        each.remove()
    assert list(base.iterdir()) == []


def test_what_others_put_there_is_left_alone(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Links, files, folders without a run's lock and another user's folders are not removed."""
    theirs = left_behind(base).rename(tmp_path / "theirs")
    (base / "ecrw-run-link").symlink_to(theirs)
    (base / "ecrw-run-file").write_text("x")
    (base / "ecrw-run-plain").mkdir()
    RunFolder({}).remove()
    assert {path.name for path in base.iterdir()} == {"ecrw-run-link", "ecrw-run-file", "ecrw-run-plain"}
    assert (theirs / "config.json").exists()
    other = left_behind(base)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    RunFolder({}).remove()
    assert (other / "config.json").exists()


def test_the_folder_that_the_system_keeps_in_memory_is_used(tmp_path: Path) -> None:
    """XDG_RUNTIME_DIR, which is in memory, is used unless others have access or it is not an absolute existing path."""
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    mine = RunFolder({"XDG_RUNTIME_DIR": str(runtime)})
    assert mine.path.parent == runtime
    mine.remove()
    runtime.chmod(0o755)
    mine = RunFolder({"XDG_RUNTIME_DIR": str(runtime)})
    assert mine.path.parent != runtime
    mine.remove()
    for odd in ("", "relative", str(tmp_path / "missing")):
        mine = RunFolder({"XDG_RUNTIME_DIR": odd})
        assert mine.path.parent == Path(tempfile.gettempdir())
        mine.remove()


@pytest.mark.parametrize("lingers", [False, True])
def test_one_that_goes_with_the_login_is_used_only_by_who_lingers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, lingers: bool
) -> None:
    """A runtime folder that systemd removes at logout is used only if the user lingers."""
    import pwd

    runtime, users, lingering = (tmp_path / name for name in ("runtime", "users", "lingering"))
    for folder in (runtime, users, lingering):
        folder.mkdir(mode=0o700)
    (users / str(os.geteuid())).touch()
    if lingers:
        (lingering / pwd.getpwuid(os.geteuid()).pw_name).touch()
    monkeypatch.setattr(private_folder, "_LOGIND_USERS", users)
    monkeypatch.setattr(private_folder, "_LINGERING", lingering)
    mine = RunFolder({"XDG_RUNTIME_DIR": str(runtime)})
    assert (mine.path.parent == runtime) is lingers
    mine.remove()
