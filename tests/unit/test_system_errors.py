"""Errors of the operating system in our words."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq

from ecr_widgets.errors import (
    EcrWidgetsError,
    LimitReached,
    OutcomeUnknown,
    RollbackFailed,
    SettingsError,
)
from ecr_widgets.system_errors import in_words, limit_reached


@contextmanager
def limited(kind: int, most: int) -> Iterator[None]:
    """A limit of this process, as `ulimit` sets it."""
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(kind, before)


def test_an_error_that_came_from_too_many_open_files_says_so(tmp_path: Path) -> None:
    """A wrong setting is not blamed for a file that could not be opened, and the limit is named with the way to raise it."""
    (tmp_path / "config").touch()
    with limited(resource.RLIMIT_NOFILE, 1):
        try:
            (tmp_path / "config").read_text()
        except OSError as error:
            wrong = SettingsError("the AWS settings cannot be used", hint="check AWS_PROFILE")
            wrong.__cause__ = error
        limit = limit_reached(wrong)
    assert "it may open 1 files at a time; raise it: `ulimit -n" in str(limit)


def test_a_file_that_may_not_grow_is_named(tmp_path: Path) -> None:
    """A write beyond `ulimit -f` names the file and that limit."""
    with (
        pytest.raises(LimitReached, match="larger than this process may write; raise the limit: `ulimit -f`"),
        limited(resource.RLIMIT_FSIZE, 8),
        in_words(),
    ):
        (tmp_path / "grown").write_text("more than eight bytes")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("can't start new thread"), "no further process or thread can be started; raise the limit"),
        (MemoryError(), "no memory is left; give it more"),
        (OSError(errno.ENOMEM, "x"), "no memory is left; give it more"),
        (zmq.ZMQError(errno.EMFILE), "files at a time"),
        (OSError(errno.ENOSPC, "x", "/tmp/y"), "'/tmp/y' cannot be written: no space is left; free some"),
    ],
    ids=["threads", "memory", "memory of the system", "sockets", "space"],
)  # fmt: skip
def test_each_limit_has_its_words(error: Exception, said: str) -> None:
    """Each thing that can run out is named, with what to do."""
    assert said in str(limit_reached(error))


def test_a_full_process_table_is_told_from_a_busy_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """EAGAIN means a missing process only where a process was to be started."""

    def full(*_: object) -> None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr("_posixsubprocess.fork_exec", full)
    monkeypatch.setattr("subprocess._fork_exec", full, raising=False)
    with pytest.raises(LimitReached, match="no further process"), in_words():
        subprocess.run(["/bin/true"], check=True)
    assert limit_reached(BlockingIOError(errno.EAGAIN, "x")) is None


def test_any_other_error_of_the_system_is_put_in_words() -> None:
    """An error of the system names its file, then the reason, without a number."""
    with pytest.raises(EcrWidgetsError, match=r"^'/' cannot be used: Is a directory$"), in_words():
        Path("/").read_text()


@pytest.mark.parametrize("kind", [OutcomeUnknown, RollbackFailed, ValueError])
def test_what_an_error_means_is_kept(kind: type[Exception]) -> None:
    """An error whose kind decides what happened to the outside keeps it, and errors of others pass."""
    with pytest.raises(kind, match="the reply was lost"), in_words():
        raise kind("the reply was lost") from KeyError("x")
    error = OutcomeUnknown("the reply was lost")
    error.__cause__ = OSError(errno.EMFILE, "x")
    assert limit_reached(error) is None
