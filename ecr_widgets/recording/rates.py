"""How fast long work goes."""

from __future__ import annotations

from ecr_widgets.ports import Progress

_SOONEST_S = 0.2
"""Before that, a rate says more about buffers than about the work."""


class Rates:
    """Rates of the parts of one step, such as image layers."""

    def __init__(self) -> None:
        self._begun: dict[str, tuple[float, int]] = {}

    def rate(self, observed: Progress, now_s: float) -> float | None:
        """Bytes a second since the part was first seen; None where that cannot be said.

        Args:
            now_s: On a clock that never goes back.
        """
        if observed.unit != "bytes" or observed.done is None:
            return None
        began_s, done = self._begun.setdefault(observed.what, (now_s, observed.done))
        if now_s - began_s < _SOONEST_S or observed.done <= done:
            return None
        return (observed.done - done) / (now_s - began_s)
