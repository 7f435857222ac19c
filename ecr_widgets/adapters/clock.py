"""The time of a run, or else the machine's."""

from __future__ import annotations

import time
from datetime import datetime

from ecr_widgets.run_clock import RUN_CLOCK


class SystemClock:
    """Implements `ports.Clock`."""

    def now(self) -> datetime:
        return RUN_CLOCK.now()

    def monotonic_s(self) -> float:
        return time.monotonic()

    def sleep(self, duration_s: float) -> None:
        time.sleep(duration_s)
