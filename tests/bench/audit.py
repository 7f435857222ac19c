"""Row group `audit`: thousands of saved runs that are read, indexed, queried, sealed and verified.

Reading is compared with the tools that people use for it, alternately on the same files, each time in a fresh interpreter and
without its imports. The other rows have no counterpart: their `other` is the aim itself. All files are distinct, about 60 kB
each, made from recorded runs, and in the page cache: what is measured is the work, not the disk.

The recorded runs have 17 to 42 kB; the rest is a log in one text, as the kit saves it. This does not favour us: nbformat
reads such a text faster than the same size in cells, and without it our ratio is about a seventh better. The aims of reading
come from a plan that counted only decoding. Of 55 µs of processor time per file, 3 are for its stamp, 7 for the kernel's
copy, 15 for a decoder's pass over 60 kB without creating objects, 9 for the check for invalid UTF-8, and 17 for the cells
with their records, which are decoded and checked one by one. The verdict takes 20 more, the row of a list 30, and SQLite 16.

BENCH_AUDIT_RUNS sets how many runs the large folder holds (100,000; it takes 6 GB below TMPDIR and is removed).
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.audit.runs import generate
from tests.bench.children import Line, alone, child, timed

_COMPARED = 2_000
_SEALED = 10_000
_BYTES_EACH = 65_000
"""Disk space per run, in whole blocks, with its part of the index."""
_TOLD = {
    "read": f"read {_COMPARED:,}",
    "judge": f"read and judge {_COMPARED:,}",
    "index": f"read {_COMPARED:,}, judge and index them in two processes",
}
_child = partial(child, "tests.bench.audit")


def measured(runs: int, folder: Path) -> Iterator[Line]:
    """Return all rows: name, ours, other, name of the other, unit, ratio, aim, runs."""
    large = int(os.environ.get("BENCH_AUDIT_RUNS", "100000"))
    folder.mkdir(parents=True, exist_ok=True)
    # Checked first: not after a quarter of an hour, and never until the disk is full.
    if (free := shutil.disk_usage(folder).free) < (needed := max(large, _SEALED) * _BYTES_EACH):
        raise SystemExit(
            f"audit takes {needed / 1e9:.1f} GB in {folder.parent} and {free / 1e9:.1f} are free;"
            " set TMPDIR to a larger disk, or BENCH_AUDIT_RUNS to fewer runs"
        )
    some = folder / "some"
    generate(some, _COMPARED)
    yield from _reading(runs, some)
    _child("seal", some, folder / "keys")
    yield from _by_seals(runs, some, folder / "keys")
    generate(some, _SEALED - _COMPARED, first=_COMPARED)
    yield from _sealing(folder, some)
    if large > _SEALED:
        cold = _child("index", some, folder / f"{_SEALED}.sqlite")
        yield alone(*_cold_index(_SEALED, cold))
    shutil.rmtree(some)
    generate(folder / "many", large)
    yield from _indexing(folder, folder / "many", large, runs)
    shutil.rmtree(folder / "many")


def _scrapbooks() -> tuple[str, str]:
    """What people read many notebooks with, and its action here."""
    if find_spec("scrapbook"):
        return "scrapbook.read_notebooks", "scrapbook"
    return "papermill's reader (scrapbook is not installed)", "papermill"


def _by_seals(runs: int, some: Path, keys: Path) -> Iterator[Line]:
    """A list made from seals, and the check that hashes every file, against readers of the same files."""
    told, action = _scrapbooks()
    for name, ours, (other, theirs), aim in (
        (f"audit, cold list of {_COMPARED:,} sealed", "list", (told, action), 1 / 40),
        (f"audit, verify {_COMPARED:,} sealed", "verify", ("nbformat.read", "nbformat"), 1 / 10),
    ):
        pairs: list[tuple[float, float]] = []
        for _ in range(runs):
            other_s = _child(theirs, some)["s"]
            with tempfile.TemporaryDirectory() as fresh:
                files = (some, Path(fresh, "new"), keys) if ours == "list" else (some, keys)
                pairs.append((_child(ours, *files)["s"], other_s))
            print(f"  {name}: {pairs[-1][0]:.4f} against {other_s:.3f} s", file=sys.stderr)
        yield (
            name,
            round(statistics.median(a for a, _ in pairs), 4),
            round(statistics.median(b for _, b in pairs), 3),
            other,
            "s",
            round(statistics.median(a / b for a, b in pairs), 4),
            round(aim, 4),
            runs,
        )


def _reading(runs: int, some: Path) -> Iterator[Line]:
    told, action = _scrapbooks()
    others = {"nbformat.read": ("nbformat", 1 / 25), told: (action, 1 / 40)}
    for told, (action, aim) in others.items():
        taken: dict[str, list[tuple[float, float]]] = {ours: [] for ours in _TOLD}
        for number in range(runs):
            other_s = _child(action, some)["s"]
            with tempfile.TemporaryDirectory() as fresh:
                ours_s = {
                    "read": _child("read", some)["s"],
                    "judge": _child("judge", some)["s"],
                    "index": _child("index", some, Path(fresh, "new"))["s"],
                }
            for ours, pairs in taken.items():
                pairs.append((ours_s[ours], other_s))
            print(f"  audit read {number + 1}/{runs}: {ours_s} against {other_s:.3f} s", file=sys.stderr)
        for ours, pairs in taken.items():
            yield (
                f"audit, {_TOLD[ours]}: {action}",
                round(statistics.median(a for a, _ in pairs), 3),
                round(statistics.median(b for _, b in pairs), 3),
                told,
                "s",
                round(statistics.median(a / b for a, b in pairs), 4),
                round(aim, 4),
                runs,
            )


def _sealing(folder: Path, some: Path) -> Iterator[Line]:
    # The plan's 5 s are for 10,000 records; these are whole notebooks, read and brought into canonical form.
    for action in ("seal", "verify"):
        yield alone(f"audit, {action} {_SEALED:,}", [_child(action, some, folder / "keys")["s"]], 5.0, "s")


def _indexing(folder: Path, runs_folder: Path, count: int, runs: int) -> Iterator[Line]:
    file = folder / f"{count}.sqlite"
    cold = _child("index", runs_folder, file)
    of = f"{count:,}"
    yield alone(*_cold_index(count, cold))
    # The most memory of the process itself, or seen at any moment together with its helpers, which share pages with it.
    yield alone(f"audit, memory at {of}", [cold["together_mb"]], 300.0, "MB")
    first = count
    for new in (0, 10, 1_000):
        updates = []
        for number in range(runs):
            generate(runs_folder, new, seed=number + 2, first=first)
            first += new
            # Long enough that no file is too young to be trusted.
            time.sleep(0.2)
            updates.append(_child("index", runs_folder, file))
            assert number == 0 or updates[-1]["read"] == new, updates[-1]
        yield alone(f"audit, {new:,} new among {of}", [each["s"] for each in updates], 1.0, "s")
    yield from _new_among_sealed(folder, runs_folder, first, runs)
    asked = _child("query", runs_folder, file)
    yield alone(f"audit, by digest among {of}", [1_000 * each for each in asked["each_s"]], 50.0, "ms")


def _new_among_sealed(folder: Path, runs_folder: Path, count: int, runs: int) -> Iterator[Line]:
    """The same with all runs sealed, also as a share of the time of their first list."""
    keys, file = folder / "keys", folder / "sealed.sqlite"
    _child("seal", runs_folder, keys)
    time.sleep(0.2)
    cold = _child("list", runs_folder, file, keys)
    updates = []
    for number in range(runs):
        generate(runs_folder, 10, seed=number + 100, first=count + 10 * number)
        _child("seal", runs_folder, keys)
        time.sleep(0.2)
        updates.append(_child("list", runs_folder, file, keys))
        assert updates[-1]["read"] == 0, updates[-1]
    taken = [each["s"] for each in updates]
    of = f"{count:,} sealed"
    yield alone(f"audit, memory of a cold list of {of}", [cold["together_mb"]], 300.0, "MB")
    yield alone(f"audit, 10 new among {of}", taken, 1.0, "s")
    middle = statistics.median(taken)
    yield (
        f"audit, 10 new among {of}: the cold list of them",
        round(middle, 3), round(cold["s"], 3), "the cold list", "s", round(middle / cold["s"], 4), 0.1, runs,
    )  # fmt: skip


def _cold_index(count: int, cold: dict[str, Any]) -> tuple[str, list[float], float, str]:
    # The plan has an aim for 10,000; at other sizes the aim per run is the same.
    return f"audit, cold index of {count:,}", [cold["s"]], 60.0 * count / 10_000, "s"


def _notebooks(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.ipynb"))


def _read(folder: Path) -> None:
    from ecr_widgets.audit.run import Run
    from ecr_widgets.audit.run_files import find_in
    from ecr_widgets.audit.scan import scan

    def work() -> None:
        found = [find_in(folder, name) for name, _ in scan(folder)]
        assert all(isinstance(each, Run) for each in found)

    timed(work)


def _judge(folder: Path) -> None:
    from ecr_widgets.audit.judging import judge
    from ecr_widgets.audit.run_files import find_in
    from ecr_widgets.audit.scan import scan

    def work() -> None:
        for name, _ in scan(folder):
            found = find_in(folder, name)
            assert judge(found).verdict

    timed(work)


def _nbformat(folder: Path) -> None:
    import nbformat

    timed(lambda: [nbformat.read(path, 4) for path in _notebooks(folder)] and None)


def _papermill(folder: Path) -> None:
    from papermill.iorw import load_notebook_node

    timed(lambda: [load_notebook_node(str(path)) for path in _notebooks(folder)] and None)


def _scrapbook(folder: Path) -> None:
    import scrapbook

    timed(lambda: scrapbook.read_notebooks(str(folder)) and None)


def _index(folder: Path, file: Path) -> None:
    from ecr_widgets.audit.index import Index

    def work() -> dict[str, Any]:
        with Index(folder, file) as index:
            index.update()
            return {"read": index.read_files}

    timed(work)


def _list(folder: Path, file: Path, keys: Path) -> None:
    from ecr_widgets.audit.index import Index
    from ecr_widgets.audit.keys import KeyRing

    def work() -> dict[str, Any]:
        with Index(folder, file, ring=KeyRing(keys)) as index:
            index.update()
            return {"read": index.read_files}

    timed(work)


def _query(folder: Path, file: Path) -> None:
    from ecr_widgets.audit.index import Index
    from ecr_widgets.audit.query import Query

    def work() -> dict[str, Any]:
        with Index(folder, file) as index:
            rows = index.rows()
            digests = [row.digests[0] for row, _ in zip(rows, range(500), strict=False) if row.digests][::20]
            rows.close()  # type: ignore[attr-defined]
            each_s = []
            for digest in digests:
                started_s = time.perf_counter()
                assert list(index.rows(Query(digest=digest)))
                each_s.append(time.perf_counter() - started_s)
            return {"each_s": each_s}

    timed(work)


def _seal(folder: Path, keys: Path) -> None:
    from ecr_widgets.audit.keys import KeyRing
    from ecr_widgets.audit.sealing import seal_missing

    def work() -> None:
        names = [path.name for path in _notebooks(folder)]
        assert seal_missing(folder, names, ring=KeyRing(keys), now=datetime.now(UTC))

    timed(work)


def _verify(folder: Path, keys: Path) -> None:
    from ecr_widgets.audit.keys import KeyRing
    from ecr_widgets.audit.verify import verify

    def work() -> None:
        names = [path.name for path in _notebooks(folder)]
        assert verify(folder, names, ring=KeyRing(keys)).ok

    timed(work)


_ACTIONS: dict[str, Callable[..., None]] = {
    "read": _read,
    "judge": _judge,
    "nbformat": _nbformat,
    "papermill": _papermill,
    "scrapbook": _scrapbook,
    "index": _index,
    "list": _list,
    "query": _query,
    "seal": _seal,
    "verify": _verify,
}

if __name__ == "__main__":
    _ACTIONS[sys.argv[1]](*map(Path, sys.argv[2:]))
