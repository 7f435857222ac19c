"""Sixty runs of a small runbook, eight in parallel: one fleet of ours against `xargs -P 8 papermill`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.bench.runs import BIN, SMALL, most_memory

COUNT = 60
AT_ONCE = 8


class Contest:
    """Both sides of the row, and the most memory that each took, in bytes."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._book = folder / "small.ipynb"
        self._book.write_text(json.dumps(SMALL))
        self._targets = folder / "targets.csv"
        self._targets.write_text("tag\n" + "".join(f"{number}\n" for number in range(COUNT)))
        self.used: dict[str, list[int]] = {"ours": [], "other": []}

    def ours(self, number: int) -> None:
        """Run a fleet in one wave, in a folder of its own, because the other side overwrites its files."""
        runs = self._folder / f"runs-{number}"
        words = ["--targets", self._targets, "--waves", "100%", "--at-once", AT_ONCE, "--runs", runs]
        self._measure("ours", [BIN / "ecr-widgets", "fleet", self._book, *words])

    def other(self, _: int) -> None:
        """Run the same as people do it in a shell."""
        papermill = [BIN / "papermill", self._book, f"{self._folder}/out-{{}}.ipynb", "--no-progress-bar"]
        words = ["xargs", "-P", AT_ONCE, "-I{}", *papermill, "-r", "tag", "{}"]
        self._measure("other", words, "\n".join(map(str, range(COUNT))))

    def _measure(self, side: str, words: list[object], given: str = "") -> None:
        process = subprocess.Popen(
            [str(word) for word in words],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        with most_memory({process.pid}, every_s=0.5) as most:
            _, talk = process.communicate(given)
        if process.returncode:
            raise SystemExit(f"{words[0]} ended with {process.returncode}:\n{talk[-2000:]}")
        self.used[side].append(most())
