"""Fleets that are killed and resumed: what has succeeded is left alone, and all the rest is done."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nbformat

from tests.faults import forked
from tests.faults.books import BIN
from tests.faults.plan import batch

PARAMETERS = "n: int = 0  # number"
CHANGE = "with open(f'change-{n}', 'a') as file: file.write('x')"
LARGEST_BYTES = 40_000


def _prepare(folder: Path, count: int) -> None:
    cells = [
        nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(CHANGE),
    ]
    book = nbformat.v4.new_notebook(cells=cells)
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, folder / "book.ipynb")
    (folder / "runs").mkdir()
    numbers = "".join(f"{n}\n" for n in range(count))
    (folder / "targets.csv").write_text(f"n\n{numbers}")


def _killed(folder: Path, words: list[str | Path], after: int) -> None:
    """Start it, and kill its whole group once so many targets have succeeded."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(words, cwd=folder, start_new_session=True, **quiet)
    _wait_for(folder, after, lambda: process.poll() is not None)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _wait_for(folder: Path, count: int, over: Callable[[], bool]) -> None:
    while len(_succeeded(folder)) < count and not over():
        time.sleep(0.1)


def _succeeded(folder: Path) -> set[int]:
    """Targets of which a saved run says that it has succeeded."""
    headers = [
        json.loads(path.read_bytes())["metadata"]["ecr_widgets"]
        for path in (folder / "runs").glob("*-book*.ipynb")
    ]
    return {each["parameters"]["n"] for each in headers if each["state"] == "succeeded"}


def _wrong(folder: Path, count: int, before: set[int]) -> list[int]:
    """Targets that have succeeded before the kill and were changed again, or that have not succeeded by now."""
    now = _succeeded(folder)
    twice = {n for n in before if (folder / f"change-{n}").read_text() != "x"}
    return sorted(twice | (set(range(count)) - now))


def _fleet(folder: Path, count: int, after: int) -> list[int]:
    _prepare(folder, count)
    words = [BIN / "ecr-widgets", "fleet", "book.ipynb", "--targets", "targets.csv", "--waves", "1,20%"]
    _killed(folder, words, after)
    before = _succeeded(folder)
    (saved,) = (folder / "runs").glob("*-fleet.ipynb")
    resume = ("run", "--resume", saved.name.removesuffix("-fleet.ipynb"))
    forked.run([BIN / "ecr-widgets", *resume], cwd=folder, capture_output=True)
    # It tells it all in 40 kB.
    too_long = [-1] if saved.stat().st_size > LARGEST_BYTES else []
    return too_long + _wrong(folder, count, before)


def _by_hand(folder: Path, count: int, after: int) -> list[int]:
    """The same as runs that are started all at once, killed, and started again."""
    _prepare(folder, count)

    def start() -> list[subprocess.Popen[bytes]]:
        run = [BIN / "ecr-widgets", "run", "book.ipynb", "-p", "n"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return [forked.start([*run, str(number)], cwd=folder, **quiet) for number in range(count)]

    started = start()
    _wait_for(folder, after, lambda: all(each.poll() is not None for each in started))
    for each in started:
        each.kill()
        each.wait()
    before = _succeeded(folder)
    for each in start():
        each.wait()
    return _wrong(folder, count, before)


@batch(131, "a fleet of 60 is killed at any moment, and resumed", tries=5, quick=1)
def fleet_killed(tries: int, seed: int) -> tuple[int, int, str]:
    """What had succeeded is left alone, the rest is run; started again by hand, it is done twice."""
    chance = random.Random(seed)
    count = 60 if tries > 1 else 4
    failures = 0
    for _ in range(tries):
        with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
            failures += bool(_fleet(Path(folder), count, chance.randrange(1, count)))
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        control = len(_by_hand(Path(folder), 2, 1))
    return failures, control, "the control is the same runs, started again"
