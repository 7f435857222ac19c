"""Actions that are each measured in a fresh interpreter, and rows that are compared with their aim only."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.bench.runs import most_memory
from tests.faults.counting import peak_mb

Line = tuple[str, float, float, str, str, float, float, int]
"""Name, ours, other, name of the other, unit, ratio, aim, runs."""


def alone(name: str, values: Sequence[float], aim: float, unit: str) -> Line:
    """Return a row compared with its aim."""
    value = statistics.median(values)
    print(f"  {name}: {value:.5f} {unit}", file=sys.stderr)
    return name, round(value, 5), aim, "the aim itself", unit, round(value / aim, 4), 1.0, len(values)


def child(module: str, action: str, *words: str | Path) -> dict[str, Any]:
    """Return what an action of a module reports, and the most memory that it and its helpers took together, in MB."""
    started = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", module, action, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    # Not often, because looking takes time from what is measured; small rows end before the first look.
    with most_memory({started.pid}, every_s=0.5) as most:
        out, errors = started.communicate()
    if started.returncode:
        raise SystemExit(f"{module} {action} ended with {started.returncode}:\n{errors[-2000:]}")
    told: dict[str, Any] = json.loads(out.splitlines()[-1])
    print(f"  {action}: {told['s']:.3f} s, processors {told['cpu_s']:.3f} s", file=sys.stderr)
    return told | {"together_mb": max(most() // 1024**2, told["peak_mb"])}


def timed(work: Callable[[], Any]) -> None:
    """In the child: do the work and print its report, its wall and processor time in seconds, and its most memory in MB."""
    used_s, started_s = _used_s(), time.perf_counter()
    told = work() or {}
    took = {"s": time.perf_counter() - started_s, "cpu_s": _used_s() - used_s}
    print(json.dumps(told | took | {"peak_mb": peak_mb()}))


def _used_s() -> float:
    """Return the processor time of this process and of its helpers that have ended."""
    return sum(os.times()[:4])
