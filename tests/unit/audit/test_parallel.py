"""Work in two processes gives the same results as in one."""

from __future__ import annotations

import multiprocessing
import os
import threading
from functools import partial
from pathlib import Path

import pytest

from ecr_widgets.audit import parallel as module
from ecr_widgets.audit.parallel import MANY, in_parallel

NAMES = [f"n{number}" for number in range(MANY)]


def _who(name: str) -> tuple[str, int]:
    return name, os.getpid()


def _dies(at: str, parent: int, name: str) -> tuple[str, int]:
    if name == at and os.getpid() != parent:
        os.kill(os.getpid(), 9)
    return name, os.getpid()


@pytest.fixture(autouse=True)
def _two_cores_and_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(threading, "active_count", lambda: 1)


def test_many_are_done_by_others_in_their_order() -> None:
    """Other processes do all of the work, each name once, and results keep the order of the names."""
    done = list(in_parallel(_who, NAMES))
    assert [name for name, _ in done] == NAMES
    assert os.getpid() not in {process for _, process in done}


@pytest.mark.parametrize("at", [0, module._CHUNK - 1, module._CHUNK, 250, MANY - 1])
def test_what_a_killed_worker_leaves_is_done_here(at: int) -> None:
    """A killed worker's remaining names are done by this process, each once."""
    done = list(in_parallel(partial(_dies, NAMES[at], os.getpid()), NAMES))
    assert [name for name, _ in done] == NAMES
    assert done[at][1] == os.getpid()


def test_few_names_a_second_thread_and_a_single_core_stay_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few names, a second thread or a single core keep all work in this process."""
    here = os.getpid()
    assert {process for _, process in in_parallel(_who, NAMES[:-1])} == {here}
    with monkeypatch.context() as patched:
        patched.setattr(threading, "active_count", lambda: 2)
        assert {process for _, process in in_parallel(_who, NAMES)} == {here}
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert {process for _, process in in_parallel(_who, NAMES)} == {here}


def test_closing_early_stops_the_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing the results early stops the workers, and no process is left."""
    monkeypatch.setattr(module, "_CHUNK", 1)
    names = [str(tmp_path / name) for name in NAMES]
    work = in_parallel(_touch, names)
    assert next(work) == names[0]
    work.close()
    assert len(list(tmp_path.iterdir())) < len(names)
    assert not multiprocessing.active_children()


def _touch(name: str) -> str:
    import time

    Path(name).touch()
    time.sleep(0.01)
    return name
