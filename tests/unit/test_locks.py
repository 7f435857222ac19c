"""Files of several users: shared by those who may write to the folder, and not blocked by readers."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

import pytest

from ecr_widgets.locks import is_held, open_shared, take
from tests.people import Two


@pytest.mark.parametrize(
    ("folder", "umask", "file", "lock"),
    [
        pytest.param(0o755, 0o022, 0o644, 0o600, id="one's own"),
        pytest.param(0o700, 0o077, 0o600, 0o600, id="one's own, private"),
        pytest.param(0o775, 0o002, 0o664, 0o660, id="a group's"),
        pytest.param(0o2775, 0o022, 0o664, 0o660, id="a group's, in spite of the umask"),
        pytest.param(0o2770, 0o077, 0o660, 0o660, id="a group's, closed to others"),
        pytest.param(0o777, 0o022, 0o666, 0o666, id="everybody's"),
        pytest.param(0o1777, 0o022, 0o644, 0o600, id="everybody's, each keeps to their own"),
    ],
)
def test_a_file_is_for_those_who_may_write_to_its_folder(
    tmp_path: Path, folder: int, umask: int, file: int, lock: int
) -> None:
    """A file gets its folder's write permissions under any umask; a lock can be read only by those who may write to it."""
    tmp_path.chmod(folder)
    before = os.umask(umask)
    try:
        for name, is_lock, mode in (("file", False, file), ("lock", True, lock)):
            for _ in ("made", "opened again"):
                os.close(open_shared(tmp_path / name, is_lock=is_lock))
                assert stat.S_IMODE((tmp_path / name).stat().st_mode) == mode
    finally:
        os.umask(before)


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives folders away")
def test_a_file_gets_the_folders_group(tmp_path: Path) -> None:
    """A file gets its folder's group, even if the folder has no setgid bit."""
    os.chown(tmp_path, 0, 61000)
    tmp_path.chmod(0o775)
    os.close(open_shared(tmp_path / "file"))
    found = (tmp_path / "file").stat()
    assert (found.st_gid, stat.S_IMODE(found.st_mode) & 0o060) == (61000, 0o060)


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    """A link in the file's place is not followed, whether its target exists or not."""
    (tmp_path / "file").touch()
    for name, target in (("one", "file"), ("two", "nowhere")):
        (tmp_path / name).symlink_to(target)
        with pytest.raises(OSError):
            open_shared(tmp_path / name)
    assert not (tmp_path / "nowhere").exists()


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    """A lock is held by one process until it is released, which removes its file."""
    lock = tmp_path / "lock"
    assert not is_held(lock)
    lease = take(lock)
    assert lease is not None
    assert is_held(lock)
    assert take(lock) is None
    assert lease.is_held
    lease.release()
    assert (lease.is_held, is_held(lock), lock.exists()) == (False, False, False)


def test_a_lock_left_behind_by_a_kill_is_free(tmp_path: Path) -> None:
    """A lock file left behind by a kill is free and can be taken."""
    lock = tmp_path / "lock"
    lock.touch()
    assert not is_held(lock)
    lease = take(lock)
    assert lease is not None
    lease.release()


HOLD = """
import sys
from pathlib import Path
from ecr_widgets.locks import is_held, take
lock = Path(sys.argv[1])
print(is_held(lock), take(lock))
try:
    open(lock)
except PermissionError:
    print("cannot be opened")
"""


def test_a_lock_that_cannot_be_opened_counts_as_held(two: Two) -> None:
    """A lock file that cannot be opened counts as held, and a user who can only read the folder cannot hold it."""
    two.shared.chmod(0o755)
    lock = two.shared / "lock"
    os.close(open_shared(lock, is_lock=True))
    told = two.alice.run(two.alice.python, "-c", HOLD, lock, cwd=two.shared)
    assert told.stdout == "True None\ncannot be opened\n", told.stderr


def test_a_lock_in_a_shared_folder_is_for_all_who_share_it(two: Two) -> None:
    """In a shared folder, a lock that one user left can be taken by another."""
    lock = two.shared / "lock"
    os.close(open_shared(lock, is_lock=True))
    told = two.alice.run(two.alice.python, "-c", HOLD, lock, cwd=two.shared)
    assert told.stdout.startswith("False "), told.stderr
    assert "None" not in told.stdout


def test_a_folder_without_rights_is_an_error_and_no_lock(two: Two) -> None:
    """In a folder without write permission, taking a lock is an error and not reported as held."""
    two.shared.chmod(0o755)
    told = two.alice.run(two.alice.python, "-c", HOLD, two.shared / "lock", cwd=two.shared)
    assert "PermissionError" in told.stderr


def test_whoever_holds_another_file_is_not_in_the_way(tmp_path: Path) -> None:
    """A process that still holds a removed lock file does not block a new one of the same name."""
    lock = tmp_path / "lock"
    stale = open_shared(lock, is_lock=True)
    fcntl.flock(stale, fcntl.LOCK_EX)
    lock.unlink()
    lease = take(lock)
    assert lease is not None
    lease.release()
    os.close(stale)
