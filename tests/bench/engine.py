"""Row `engine`: 20 cells and a 5 MB output through papermill with its own engine and with ours; time and bytes written."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_CELLS = 20
_OUTPUT = "print('y' * 99 * 50_000, end='')  # 5 MB"
# Both are called the same way, so that only the engine differs. The bytes a process has written since its start are
# the kernel's own count, sockets included.
_CALL = """
import sys, papermill
papermill.execute_notebook(sys.argv[1], sys.argv[2], engine_name=sys.argv[3] or None, progress_bar=False)
io = dict(line.split(': ') for line in open('/proc/self/io').read().splitlines())
print(io['wchar'])
"""


def contestants(folder: Path) -> tuple[Callable[[int], None], Callable[[int], None], dict[str, list[int]]]:
    """Return ours, papermill's own, and how many bytes each run wrote."""
    book = folder / "book.ipynb"
    sources = [f"x{number} = {number}; print(x{number})" for number in range(_CELLS - 1)]
    sources.insert(3, _OUTPUT)
    book.write_text(json.dumps(_notebook(sources)))
    written: dict[str, list[int]] = {"ecr_widgets": [], "": []}

    def call(engine: str) -> None:
        done = subprocess.run(
            [sys.executable, "-c", _CALL, book, folder / f"{engine or 'own'}.ipynb", engine],
            capture_output=True,
            text=True,
            check=True,
        )
        written[engine].append(int(done.stdout.split()[-1]))

    return lambda _: call("ecr_widgets"), lambda _: call(""), written


def _notebook(sources: list[str]) -> dict[str, Any]:
    cells: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "id": f"c{number}",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        for number, source in enumerate(sources)
    ]
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": cells, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}
