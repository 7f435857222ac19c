"""What one call of a client costs, ours or another: wall time, CPU and most memory, measured alternately in pairs."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

SIDES = ("ours", "other")
Measured = tuple[str, float, float, str, str, float, float, int]


class Cost(NamedTuple):
    """What one call of a client took."""

    wall_s: float
    cpu_s: float
    peak_mb: float


Pairs = list[tuple[Cost, Cost]]


class Worker:
    """Our side, in a process that is already running, like a notebook's kernel."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, *asked: str) -> Cost:
        """Have it do the work and return what that took."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(asked), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit("our worker ended")
        return Cost(*json.loads(answer))


@contextmanager
def worker(module: str, *words: str, environ: Mapping[str, str]) -> Iterator[Worker]:
    """Start a module of ours that calls `serve`, and end it."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *words],
        env=dict(environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    try:
        yield Worker(process)
    finally:
        process.stdin.close()
        process.wait()


def serve(calls: Mapping[str, Callable[..., None]]) -> None:
    """In the worker: do what each line of standard input asks for, and answer with what it took."""
    for line in sys.stdin:
        name, *given = json.loads(line)
        used = os.times()
        started_s = time.perf_counter()
        calls[name](*given)
        took_s, now = time.perf_counter() - started_s, os.times()
        # A child that builds for us counts as ours.
        cpu_s = sum(now[:4]) - sum(used[:4])
        print(json.dumps((took_s, cpu_s, peak_mb("self"))), flush=True)


def run_command(*words: str, environ: Mapping[str, str]) -> Cost:
    """Run another tool's command from start to end."""
    started_s = time.perf_counter()
    child = subprocess.Popen(
        words, env=dict(environ), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert child.stdout is not None
    peaks: list[float] = []
    watch = threading.Thread(target=_watch, args=(child.pid, peaks))
    watch.start()
    told = child.stdout.read()
    watch.join()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    child.stdout.close()
    if child.returncode:
        raise SystemExit(f"{words[0]} ended with {child.returncode}: {told[-1000:]}")
    return Cost(time.perf_counter() - started_s, used.ru_utime + used.ru_stime, max(peaks, default=0.0))


def in_turn(act: Callable[[str, int], Cost], runs: int) -> Pairs:
    """Measure both sides equally often, alternately, because the second one finds a warmer machine."""
    found = []
    for number in range(runs):
        order = SIDES if number % 2 == 0 else SIDES[::-1]
        cost = {side: act(side, number) for side in order}
        print(f"  {number + 1}/{runs}: {cost['ours']} against {cost['other']}", file=sys.stderr)
        found.append((cost["ours"], cost["other"]))
    return found


def row(name: str, other_name: str, aim: float, pairs: Pairs, what: str = "wall_s") -> Measured:
    """Return one row: medians, and the median of the pairs' ratios."""
    found: Sequence[tuple[float, float]] = [(getattr(a, what), getattr(b, what)) for a, b in pairs]
    return (
        name,
        round(statistics.median(a for a, _ in found), 3),
        round(statistics.median(b for _, b in found), 3),
        other_name,
        "MB" if what == "peak_mb" else "s",
        round(statistics.median(a / max(b, 1e-6) for a, b in found), 3),
        aim,
        len(found),
    )


def peak_mb(pid: int | str) -> float:
    """Return the most memory a process ever had; for a child, `ru_maxrss` includes its parent's memory before exec."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM")), 0.0)


def _watch(pid: int, peaks: list[float]) -> None:
    with suppress(OSError):
        # A process that has ended and was not reaped has no memory any more.
        while (peak := peak_mb(pid)) > 0.0:
            peaks.append(peak)
            time.sleep(0.01)
