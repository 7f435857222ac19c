"""How fast long work goes, for each part and in total."""

from __future__ import annotations

from dataclasses import replace

from ecr_widgets.ports import Progress

TOTAL = "total"
"""The name for all parts of a step together."""
_ARRIVED = ("pushed", "download complete", "pull complete")
"""What the engine reports for a layer that has arrived, without a size."""

_SOONEST_S = 0.2
"""Before this time, a rate says more about buffers than about the work."""


class Rates:
    """Rates of the parts of one step, such as image layers."""

    def __init__(self) -> None:
        self._begun: dict[str, tuple[float, int]] = {}

    def rate(self, observed: Progress, now_s: float) -> float | None:
        """Return bytes per second since the part was first seen, or None if unknown.

        Args:
            now_s: Seconds on a monotonic clock.
        """
        if observed.unit != "bytes" or observed.done is None:
            return None
        began_s, done = self._begun.setdefault(observed.what, (now_s, observed.done))
        if now_s - began_s < _SOONEST_S or observed.done <= done:
            return None
        return (observed.done - done) / (now_s - began_s)


class Total:
    """All parts of one step together, such as the layers of an image."""

    def __init__(self) -> None:
        self._parts: dict[str, Progress] = {}

    def take(self, observed: Progress) -> None:
        """Count one observation of a part; parts of unknown size do not count."""
        before = self._parts.get(observed.what)
        if observed.unit == "bytes" and observed.total:
            # A layer that has arrived is then unpacked, which counts from 0 again.
            done = max(observed.done or 0, (before.done or 0) if before is not None else 0)
            self._parts[observed.what] = replace(observed, done=min(done, observed.total))
        elif before is not None and observed.again:
            self._parts[observed.what] = replace(before, done=0)
        elif before is not None and observed.message in _ARRIVED:
            self._parts[observed.what] = replace(before, done=before.total)

    def observed(self) -> Progress | None:
        """Return all parts as one; None while fewer than two have a size."""
        if len(self._parts) < 2:
            return None
        sizes = [(part.done or 0, part.total or 0) for part in self._parts.values()]
        done, total = map(sum, zip(*sizes, strict=True))
        ended = sum(part_done == part_total for part_done, part_total in sizes)
        return Progress(TOTAL, f"{ended} of {len(sizes)} parts,", done, total, "bytes")
