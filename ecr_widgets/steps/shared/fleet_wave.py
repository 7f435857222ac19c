"""Runs the targets of one wave on an executor, only so many at a time, and records how each ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field
from typing import Any

from ecr_widgets.model.fleet import RunEnd, TargetRun
from ecr_widgets.model.waves import Counts, TargetState, state_of

_BUSY = 5
_BETWEEN_LOOKS_S = 1.0


@dataclass
class Wave:
    """The targets of one wave.

    Args:
        start: Runs a target.

        on_change: Called whenever a target has ended, and about once a second.
    """

    runs: Sequence[TargetRun]
    start: Callable[[TargetRun], RunEnd]
    executor: Executor
    at_once: int
    on_change: Callable[[Wave], object] = lambda _: None
    ends: dict[str, RunEnd] = field(default_factory=dict)
    """By target, in the order in which they ended."""
    under_way: dict[Future[RunEnd], TargetRun] = field(default_factory=dict)

    def run(self) -> None:
        """Run those that have not ended yet; busy ones are tried once more when all others have ended.

        Once the outcome of one is unknown, no other is started.
        """
        self._run_each(each for each in self.runs if each.target not in self.ends)
        if not self.counts.unknown:
            busy = [each for each in self.runs if self._is_busy(each)]
            self._run_each(busy)

    @property
    def counts(self) -> Counts:
        """How the targets ended, so far."""
        return Counts.of(state_of(end.exit_code) for end in self.ends.values())

    def await_ends(self, longest_s: float) -> None:
        """Record how those that are running end, without starting more."""
        done, _ = wait(self.under_way, timeout=longest_s)
        for future in done:
            self._take(future)

    def _run_each(self, runs: Iterable[TargetRun]) -> None:
        queue = deque(runs)
        while queue or self.under_way:
            while queue and len(self.under_way) < self.at_once:
                run = queue.popleft()
                # Only as many are submitted as may run: what an engine holds in a queue cannot be called back.
                self.under_way[self.executor.submit(self.start, run)] = run
            done, _ = wait(self.under_way, timeout=_BETWEEN_LOOKS_S, return_when=FIRST_COMPLETED)
            for future in done:
                self._take(future)
            if self.counts.unknown:
                queue.clear()
            self.on_change(self)

    def _take(self, future: Future[Any]) -> None:
        run = self.under_way.pop(future)
        error = future.exception()
        # The process that started the run is lost, but perhaps not the run: another start finds out from its slot.
        lost = RunEnd(run.target, _BUSY, reason=f"lost: {type(error).__name__}: {error}"[:300])
        self.ends[run.target] = future.result() if error is None else lost

    def _is_busy(self, run: TargetRun) -> bool:
        end = self.ends.get(run.target)
        return end is not None and state_of(end.exit_code) is TargetState.BUSY
