"""The private channel from a kernel to its engine."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from threading import Thread

import pytest

from ecr_widgets.channel import RunChannel
from ecr_widgets.engine.channel_server import ChannelServer
from ecr_widgets.errors import RunError


def folder_of(length: int, base: Path) -> Path:
    """Create a folder in which the socket's path has so many bytes; an é counts two, since the limit is in bytes."""
    made = base
    while left := length - len(os.fsencode(made / "channel")):
        name_bytes = min(left - 1, 200)
        made /= "é" * (name_bytes // 2) + "x" * (name_bytes % 2)
    made.mkdir(parents=True, exist_ok=True)
    return made


# What macOS accepts, one more, more than Linux accepts, and more than any system does.
@pytest.mark.parametrize("length", [103, 104, 108, 400])
def test_kernel_and_engine_meet_in_a_folder_of_any_depth(length: int) -> None:
    """The channel works in a folder whose path is too long for a socket, and leaves no link behind."""
    shared: list[str] = []
    with tempfile.TemporaryDirectory(dir="/tmp") as base:
        folder = folder_of(length, Path(base))
        server = ChannelServer(
            folder / "channel",
            announce=lambda *_: None,
            conclude=lambda *_: None,
            learn_secret=shared.append,
            need_to_end=lambda _: None,
        )
        with server:
            line = RunChannel("run-1", str(folder / "channel"))
            line.share_secret("of the run")
            line.close()
        assert [path.name for path in folder.iterdir()] == ["channel"]
        assert not any(link.resolve() == folder for link in Path("/tmp").glob("ecrw-line-*/to"))
    assert shared == ["of the run"]


def test_a_cell_says_how_long_its_end_may_take() -> None:
    """A cell reports how many seconds its end may take; a value that is not a number is refused."""
    asked: list[float] = []
    with tempfile.TemporaryDirectory(dir="/tmp") as base:
        server = ChannelServer(
            Path(base) / "channel",
            announce=lambda *_: None,
            conclude=lambda *_: None,
            learn_secret=lambda _: None,
            need_to_end=asked.append,
        )
        with server:
            line = RunChannel("run-1", str(Path(base) / "channel"))
            line.need_to_end(30)
            with pytest.raises(RunError):
                line.need_to_end("long")  # type: ignore[arg-type]
            line.close()
    assert asked == [30.0]


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), MemoryError()])
def test_the_line_works_where_no_thread_can_be_started(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Where processes or memory run out, the thread that waits for lines serves the kernel's itself."""
    start = Thread.start

    def full(thread: Thread) -> None:
        if thread.name == "ecr-widgets channel line":
            raise error
        start(thread)

    monkeypatch.setattr(Thread, "start", full)
    shared: list[str] = []
    with tempfile.TemporaryDirectory(dir="/tmp") as base:
        server = ChannelServer(
            Path(base) / "channel",
            announce=lambda *_: None,
            conclude=lambda *_: None,
            learn_secret=shared.append,
            need_to_end=lambda _: None,
        )
        with server:
            line = RunChannel("run-1", str(Path(base) / "channel"))
            line.share_secret("of the run")
            line.close()
    assert shared == ["of the run"]


def test_no_kernel_waits_for_a_thread_that_has_died(monkeypatch: pytest.MonkeyPatch) -> None:
    """If memory runs out in the thread that waits for lines, a kernel that calls is refused."""
    start = Thread.start

    def none(thread: Thread) -> None:
        if thread.name == "ecr-widgets channel line":
            raise MemoryError
        start(thread)

    def no_memory(_: float) -> None:
        raise MemoryError

    monkeypatch.setattr(Thread, "start", none)
    with tempfile.TemporaryDirectory(dir="/tmp") as base:
        server = ChannelServer(
            Path(base) / "channel",
            announce=lambda *_: None,
            conclude=lambda *_: None,
            learn_secret=lambda _: None,
            need_to_end=no_memory,
        )
        with server:
            line = RunChannel("run-1", str(Path(base) / "channel"))
            with pytest.raises(RunError, match="closed the connection"):
                line.need_to_end(30)
            line.close()
            with pytest.raises(RunError):
                RunChannel("run-1", str(Path(base) / "channel")).need_to_end(30)
