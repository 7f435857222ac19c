"""Twenty runs of a small runbook in sequence, and eight in parallel, by our command and by papermill's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

BIN = Path(sys.executable).parent
SMALL = {
    "cells": [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "metadata": {"tags": ["parameters"]} if number == 0 else {},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        for number, source in enumerate(
            (
                "tag: str = '1'  # a tag",
                "import json",
                "told = json.dumps({'tag': tag})",
                "print(told)",
                "told",
            )
        )
    ],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


def contestants(folder: Path) -> tuple[Callable[[str], list[str]], Callable[[str], list[str]]]:
    """Return commands of one run each, ours and papermill's; each is given a name that no other run has."""
    book = folder / "small.ipynb"
    book.write_text(json.dumps(SMALL))

    def ours(_: str) -> list[str]:
        return [str(BIN / "ecr-widgets"), "run", str(book), "--runs", str(folder / "runs"), "-p", "tag", "2"]

    def other(name: str) -> list[str]:
        out = str(folder / f"{name}.ipynb")
        return [str(BIN / "papermill"), str(book), out, "--no-progress-bar", "-r", "tag", "2"]

    return ours, other


def one_by_one(command: Callable[[str], list[str]], count: int) -> None:
    """Run that many, one after the other."""
    for number in range(count):
        subprocess.run(command(f"one-{number}"), capture_output=True, check=True)


def at_once(command: Callable[[str], list[str]], count: int) -> int:
    """Run that many in parallel; return the most memory that all their processes had together, in bytes."""
    started = [
        subprocess.Popen(
            command(f"many-{number}"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Kernels belong to the session of their run.
            start_new_session=True,
        )
        for number in range(count)
    ]
    with most_memory({process.pid for process in started}, every_s=0.1) as most:
        codes = [process.wait() for process in started]
    if any(codes):
        raise SystemExit(f"runs at once of {Path(command('')[0]).name} ended with {codes}")
    return most()


@contextmanager
def most_memory(roots: set[int], *, every_s: float) -> Iterator[Callable[[], int]]:
    """Sample the memory of the processes and all below them; the yielded call returns the most seen, in bytes."""
    most, stop = [0], threading.Event()

    def watch() -> None:
        while not stop.wait(every_s):
            most[0] = max(most[0], _memory_below(roots))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield lambda: most[0]
    finally:
        stop.set()
        watcher.join()


def _memory_below(roots: set[int]) -> int:
    """Return the proportional set size of the processes and all their descendants, in bytes."""
    parents: dict[int, int] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)] = int(fields[1])
    found, grown = set(roots), True
    while grown:
        more = {child for child, parent in parents.items() if parent in found and child not in found}
        found, grown = found | more, bool(more)
    total = 0
    for pid in found:
        try:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += 1024 * int(line.split()[1])
        except OSError:
            continue
    return total
