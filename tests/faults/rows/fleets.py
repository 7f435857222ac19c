"""Fleets that are killed and resumed: what has succeeded is left alone, and all the rest is done."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import nbformat

from tests.faults import forked
from tests.faults.books import BIN
from tests.faults.plan import batch

PARAMETERS = "n: int = 0  # number"
CHANGE = "with open(f'change-{n}', 'a') as file: file.write('x')"
AT_ONCE = 8
LARGEST_BYTES = 40_000


def _prepare(folder: Path, count: int) -> str:
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
    return numbers


def _killed(folder: Path, words: list[str], after: int, given: str) -> None:
    """Start it, and kill its whole group once so many targets have succeeded."""
    process = subprocess.Popen(
        words,
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(given)
    process.stdin.close()
    while process.poll() is None and len(_succeeded(folder)) < after:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


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
    words = [str(BIN / "ecr-widgets"), "fleet", "book.ipynb", "--targets", "targets.csv", "--waves", "1,20%"]
    _killed(folder, words, after, "")
    before = _succeeded(folder)
    (saved,) = (folder / "runs").glob("*-fleet.ipynb")
    resume = ("run", "--resume", saved.name.removesuffix("-fleet.ipynb"))
    forked.run([BIN / "ecr-widgets", *resume], cwd=folder, capture_output=True)
    # It tells it all in 40 kB.
    too_long = [-1] if saved.stat().st_size > LARGEST_BYTES else []
    return too_long + _wrong(folder, count, before)


def _by_hand(folder: Path, count: int, after: int) -> list[int]:
    """The same by xargs, started again after the kill."""
    numbers = _prepare(folder, count)
    run = [str(BIN / "ecr-widgets"), "run", "book.ipynb", "-p", "n", "{}"]
    words = ["xargs", "-P", str(AT_ONCE), "-I{}", *run]
    _killed(folder, words, after, numbers)
    before = _succeeded(folder)
    subprocess.run(words, cwd=folder, input=numbers.encode(), capture_output=True, check=False)
    return _wrong(folder, count, before)


@batch(131, "a fleet of 60 is killed at any moment, and resumed", tries=5, quick=1)
def fleet_killed(tries: int, seed: int) -> tuple[int, int, str]:
    """What had succeeded is left alone, the rest is run; started again by xargs, it is done twice."""
    chance = random.Random(seed)
    count = 60 if tries > 1 else 4
    failures = 0
    for _ in range(tries):
        with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
            failures += bool(_fleet(Path(folder), count, chance.randrange(1, count)))
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        control = len(_by_hand(Path(folder), 2, 1))
    return failures, control, f"{AT_ONCE} at once; the control is xargs, started again"
