"""Try a folder of notebooks that nobody here wrote: `python -m tests.audit.foreign FOLDER…`.

Each is read and judged as `audit list` does it. Told are how many of each format and writer there were,
what they were called and why, and how long it took; the end is 1 where one crashed or was called a run.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ecr_widgets.audit.judging import judge
from ecr_widgets.audit.row import row_of
from ecr_widgets.audit.run import NoRun, Run
from tests.reading import read_file


@dataclass
class Tally:
    """What became of a collection."""

    files: int = 0
    size_bytes: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    """`foreign`, `unreadable`, or the verdict of what was taken for a run."""
    formats: Counter[str] = field(default_factory=Counter)
    """nbformat as major.minor; `none` where the file is no JSON object."""
    executed: int = 0
    """Notebooks in which a cell has an execution count or an output."""
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    crashes: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 0.0
    """Spent on reading and judging alone."""


def notebooks_below(folder: Path) -> Iterator[Path]:
    """All files that end like a notebook, hidden and checkpoint folders too; links are no files of a collection."""
    return (path for path in sorted(folder.rglob("*.ipynb")) if path.is_file() and not path.is_symlink())


def try_all(paths: Iterable[Path]) -> Tally:
    """Read and judge each notebook as an audit does."""
    tally = Tally()
    for path in paths:
        tally.files += 1
        tally.size_bytes += path.stat().st_size
        started_s = time.perf_counter()
        try:
            found = read_file(path)
            row, _ = row_of(found, judge(found))
        except Exception as error:  # noqa: BLE001 -- what is looked for
            tally.crashes.append((str(path), f"{type(error).__name__} {error}"))
            continue
        finally:
            tally.seconds += time.perf_counter() - started_s
        tally.kinds[row.verdict] += 1
        if isinstance(found, Run):
            tally.runs.append(str(path))
        elif isinstance(found, NoRun) and found.kind == "unreadable":
            tally.unreadable.append((str(path), found.why))
        _look(path, tally)
    return tally


def _look(path: Path, tally: Tally) -> None:
    # By another reader than the one under test.
    try:
        notebook = json.loads(path.read_bytes().decode("utf-8-sig"))
        tally.formats[f"{notebook.get('nbformat')}.{notebook.get('nbformat_minor')}"] += 1
        cells = [*(notebook.get("cells") or ()), *_old_cells(notebook)]
    except (ValueError, AttributeError, TypeError):
        tally.formats["none"] += 1
        return
    tally.executed += any(
        isinstance(cell, dict)
        and (cell.get("execution_count") or cell.get("prompt_number") or cell.get("outputs"))
        for cell in cells
    )


def _old_cells(notebook: dict[str, object]) -> Iterator[object]:
    sheets = notebook.get("worksheets")
    for sheet in sheets if isinstance(sheets, list) else ():
        yield from sheet.get("cells") or ()


def main(folders: list[str]) -> int:
    """Try all folders together and tell."""
    tally = try_all(path for folder in folders for path in notebooks_below(Path(folder)))
    print(f"{tally.files} notebooks, {tally.size_bytes / 1e6:.1f} MB, {tally.executed} of them executed")
    print("formats:", ", ".join(f"{count} of {name}" for name, count in tally.formats.most_common()))
    print("called:", ", ".join(f"{count} {name}" for name, count in tally.kinds.most_common()))
    print(f"read and judged in {tally.seconds:.2f} s")
    for told, lines in (("unreadable", tally.unreadable), ("crashed", tally.crashes)):
        for path, why in lines:
            print(f"{told}: {path}: {why}")
    for path in tally.runs:
        print(f"taken for a run: {path}")
    return 1 if tally.crashes or tally.runs else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
