"""The time in a run: the machine's time when the run began, plus what has passed since.

A time server may set the machine's clock in the middle of a run. Its steps would then end before they start, or lie outside
the run, and would prove nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from ecr_widgets.channel import ADDRESS_VARIABLE, CLOCK_VARIABLE

_SINCE_START = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""A clock that nobody can set, the same in all processes, which also counts while the machine sleeps."""


class _RunClock:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._begun_s: float | None = None

    @property
    def _machine_started_s(self) -> float | None:
        if self._begun_s is not None:
            return self._begun_s
        # The variable may be left over from a run that has ended; then the engine's end of the line is gone.
        started_s, line = map(self._environ.get, (CLOCK_VARIABLE, ADDRESS_VARIABLE))
        return float(started_s) if started_s and line and Path(line).exists() else None

    def begin(self) -> None:
        """Begin a run: from now on, time in this process passes whatever happens to the machine's clock."""
        self._begun_s = time.time() - time.clock_gettime(_SINCE_START)

    def end(self) -> None:
        """End a run in a process that lives on: time is the machine's again."""
        self._begun_s = None

    def for_kernel(self) -> dict[str, str]:
        """The variable that gives this time to the run's kernel: when the machine was started by the clock of the run."""
        return {} if self._begun_s is None else {CLOCK_VARIABLE: repr(self._begun_s)}

    def now(self) -> datetime:
        """The time: the run's in a run, else the machine's."""
        started_s = self._machine_started_s
        if started_s is None:
            return datetime.now(UTC)
        return datetime.fromtimestamp(started_s + time.clock_gettime(_SINCE_START), UTC)


RUN_CLOCK = _RunClock(os.environ)
