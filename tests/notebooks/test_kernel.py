"""A run's kernel starts without what only interactive sessions need, and ends in an orderly way."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.engine import kernel as kernel_module
from ecr_widgets.engine.kernel import Kernel
from ecr_widgets.errors import RunError

Cell = Callable[..., None]


@pytest.fixture
def cell(tmp_path: Path) -> Cell:
    """Return a function that runs one cell in its own kernel in the test's folder, and closes the kernel."""

    def run(source: str, *, asked: bool = False) -> None:
        with Kernel("run", environ=os.environ, cwd=tmp_path) as kernel:
            client: Any = kernel.connect(timeout_s=60.0)
            request = client.execute(source)
            reply = client.get_shell_msg(timeout=20)
            assert (reply["parent_header"]["msg_id"], reply["content"]["status"]) == (request, "ok")
            while True:
                said = client.get_iopub_msg(timeout=20)
                idle = said["content"].get("execution_state") == "idle"
                if idle and said["parent_header"].get("msg_id") == request:
                    break
            if asked:
                kernel.ask_to_end()
        assert kernel.exit_code == 0, "it had to be killed"

    return run


LEAVES_OPEN = """
class Holder:
    def __init__(self):
        self.file = open('held', 'w')
        self.file.write('whole')
        self.itself = self

class Last:
    def __del__(self):
        open('deleted', 'w').write('whole')

file = open('open', 'w')
file.write('whole')
holder, last = Holder(), Last()
import atexit
_ = atexit.register(lambda: open('at exit', 'w').write('whole'))
"""


@pytest.mark.parametrize("asked", [False, True], ids=["closed", "asked to end before"])
def test_what_a_cell_left_open_is_whole_when_its_kernel_has_ended(
    cell: Cell, tmp_path: Path, *, asked: bool
) -> None:
    """When a kernel ends, open files are flushed, and finalizers and exit handlers run."""
    cell(LEAVES_OPEN, asked=asked)
    left = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert left == dict.fromkeys(("open", "held", "deleted", "at exit"), "whole")


def test_the_thread_that_hears_of_the_end_is_through_before_anything_is_ended(
    cell: Cell, tmp_path: Path
) -> None:
    """The control thread has ended when exit handlers run, and the thread that sends output has not."""
    cell(
        "import atexit, sys, threading, time\n"
        "flush = sys.stdout._flush\n"
        "def slow(): time.sleep(0.3); flush()\n"
        "sys.stdout._flush = slow\n"
        "names = lambda: str([thread.name for thread in threading.enumerate()])\n"
        "_ = atexit.register(lambda: open('alive', 'w').write(names()))"
    )
    alive = (tmp_path / "alive").read_text()
    assert "IOPub" in alive
    assert "Control" not in alive


def test_a_kernel_does_not_wait_for_processes_that_have_ended(cell: Cell) -> None:
    """A kernel's end does not wait for child processes that have ended but were not reaped."""
    cell(
        "import os, subprocess\n"
        "child = subprocess.Popen(['true'])\n"
        "_ = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)"
    )


def test_garbage_of_cells_is_collected(cell: Cell, tmp_path: Path) -> None:
    """Garbage made by cells is collected."""
    cell(
        "import gc\n"
        "class Ring:\n"
        "    def __init__(self): self.itself = self\n"
        "    def __del__(self): open('gone', 'w').close()\n"
        "Ring()\n"
        "for _ in range(100_000): [].append([[]])\n"
        "junk = [[] for _ in range(100_000)]\n"
        "assert gc.isenabled()"
    )
    assert (tmp_path / "gone").exists()


def test_a_process_of_a_cell_is_asked_to_end_before_it_is_killed(cell: Cell, tmp_path: Path) -> None:
    """A process that a cell started gets SIGTERM and time to act on it before it is killed."""
    cell(
        "import subprocess\n"
        "child = subprocess.Popen(['sh', '-c', 'trap \"echo asked > told; exit\" TERM; echo; while :; do sleep 0.01; done'],"
        " stdout=subprocess.PIPE)\n"
        "_ = child.stdout.readline()"
    )
    assert (tmp_path / "told").read_text() == "asked\n"


def test_a_kernel_without_processes_looks_at_no_other(cell: Cell, tmp_path: Path) -> None:
    """At its end a kernel inspects the machine's processes only if it has child processes."""
    loaded = "import atexit, sys; _ = atexit.register(lambda: open('seen', 'w').write(str('psutil' in sys.modules)))"
    cell(loaded)
    assert (tmp_path / "seen").read_text() == "False"
    cell(f"{loaded}\nimport subprocess; child = subprocess.Popen(['sleep', '60'])")
    assert (tmp_path / "seen").read_text() == "True"


def test_a_debugger_is_loaded_for_those_cells_only_that_ask_for_it(cell: Cell) -> None:
    """The debugger is not loaded until a cell imports it."""
    cell("import sys\nassert 'debugpy' not in sys.modules\nimport debugpy\nassert debugpy.__file__")


def test_a_client_soon_looks_again_for_a_kernel_that_does_not_listen_yet() -> None:
    """A client tries again within 10 ms to reach a kernel that is not listening yet."""
    with Kernel("run", environ=os.environ, cwd=Path.cwd()) as kernel:
        client: Any = kernel.connect(timeout_s=60.0)
        lines = (client.shell_channel, client.iopub_channel, client.control_channel)
        assert max(line.socket.reconnect_ivl for line in lines) <= 10


def test_a_kernel_that_cannot_start_says_why(tmp_path: Path) -> None:
    """If a kernel cannot start, the error has the kernel's own message."""
    (tmp_path / "ipykernel.py").write_text("raise ImportError('of another release')")
    broken = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with (
        Kernel("run", environ=broken, cwd=tmp_path) as kernel,
        pytest.raises(RunError, match=r"did not start \(exit code 1\): ImportError: of another release"),
    ):
        kernel.connect(timeout_s=60.0)


def test_a_kernel_has_time_to_give_back_its_leases(
    cell: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel has time to release its leases if runs are in a bucket; otherwise one that is slow to end is killed."""
    monkeypatch.setattr(kernel_module, "_STOP_TIMEOUT_S", 0.0)
    late = "import atexit, time\n_ = atexit.register(lambda: (time.sleep(1), open('released', 'w').close()))"
    with pytest.raises(AssertionError, match="killed"):
        cell(late)
    monkeypatch.setenv("ECR_WIDGETS_RUNS", "s3://a-bucket/runs")
    cell(late)
    assert (tmp_path / "released").exists()


def test_no_cell_gets_where_notices_go(cell: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell does not see the variables that say where notices go, but sees the kit's other variables."""
    for name in ("NOTIFY_URL", "NOTIFY_COMMAND", "RUNS"):
        monkeypatch.setenv(f"ECR_WIDGETS_{name}", "set")
    cell(
        "import os; open('seen', 'w').write(' '.join(n for n in os.environ if n.startswith('ECR_WIDGETS_')))"
    )
    seen = (tmp_path / "seen").read_text().split()
    assert "ECR_WIDGETS_RUNS" in seen
    assert not [name for name in seen if "NOTIFY" in name]
