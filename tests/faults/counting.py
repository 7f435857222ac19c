"""One piece of an audit's work in a fresh interpreter, and what it took: `python -m tests.faults.counting ACTION RUNS FILE`.

Prints one JSON document: notebooks opened, bytes that the kernel gave to reads, waits for the disk, seconds, peak memory
in MB, and what the action itself says. Counted are calls, as Python's audit hook and the kernel see them, so that nothing
under test has to count for itself.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def _index(runs: Path, file: Path) -> dict[str, Any]:
    from ecr_widgets.audit.index import Index

    with Index(runs, file) as index:
        index.update()
        return {"rows": sum(1 for _ in index.rows())}


def _index_anew(runs: Path, _file: Path) -> dict[str, Any]:
    from ecr_widgets.audit.index import Index

    with Index(runs, None) as index:
        index.update()
        return {"rows": sum(1 for _ in index.rows())}


def _seal(runs: Path, keys: Path) -> dict[str, Any]:
    from ecr_widgets.audit.keys import KeyRing
    from ecr_widgets.audit.scan import scan
    from ecr_widgets.audit.sealing import seal_missing

    names = sorted(name for name, _ in scan(runs))
    return {"sealed": len(seal_missing(runs, names, ring=KeyRing(keys), now=datetime.now(UTC)))}


def _verify(runs: Path, keys: Path) -> dict[str, Any]:
    from ecr_widgets.audit.keys import KeyRing
    from ecr_widgets.audit.scan import scan
    from ecr_widgets.audit.verify import verify

    return {"ok": verify(runs, [name for name, _ in scan(runs)], ring=KeyRing(keys)).ok}


_ACTIONS = {"index": _index, "index-anew": _index_anew, "seal": _seal, "verify": _verify}


def _read_bytes() -> int:
    told = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(told["rchar"])


def peak_mb() -> int:
    """Most memory that this program itself has held, in MB; `ru_maxrss` would count what started it, too."""
    told = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(told["VmHWM"].split()[0]) // 1024


def main(action: str, runs: str, file: str) -> None:
    """Do it and tell."""
    # A byte for each, in files that forked workers share; appending is what makes two writes at once two bytes.
    counts = {name: os.memfd_create(name) for name in ("opened", "synced")}
    for handle in counts.values():
        fcntl.fcntl(handle, fcntl.F_SETFL, os.O_APPEND)

    def watch(event: str, details: tuple[Any, ...]) -> None:
        if event == "open" and str(details[0]).endswith(".ipynb"):
            os.write(counts["opened"], b"x")

    def synced(handle: int, real: Any = os.fsync) -> None:
        os.write(counts["synced"], b"x")
        real(handle)

    sys.addaudithook(watch)
    os.fsync = synced
    read, started_s = _read_bytes(), time.perf_counter()
    told = _ACTIONS[action](Path(runs), Path(file))
    told["s"] = round(time.perf_counter() - started_s, 3)
    told["read_bytes"] = _read_bytes() - read
    told["peak_mb"] = peak_mb()
    print(json.dumps(told | {name: os.fstat(handle).st_size for name, handle in counts.items()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
