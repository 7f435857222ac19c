"""What had to be retried, so that a record distinguishes a smooth transfer from one that only got through in the end."""

from __future__ import annotations

from ecr_widgets.ports import Progress, ProgressSink


class Repeats:
    """Passes progress on, and keeps reports that something is retried."""

    def __init__(self, sink: ProgressSink) -> None:
        self._sink = sink
        self._repeats: list[str] = []

    def __call__(self, observed: Progress) -> None:
        if observed.again:
            self._repeats.append(f"{observed.what}: {observed.message}")
        self._sink(observed)

    @property
    def repeats(self) -> tuple[str, ...]:
        """One text for each retry, oldest first."""
        return tuple(self._repeats)
