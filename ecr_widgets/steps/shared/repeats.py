"""What had to be tried once more, so that a record tells a smooth transfer from one that got through in the end."""

from __future__ import annotations

from ecr_widgets.ports import Progress, ProgressSink


class Repeats:
    """Passes progress on and keeps what of it says that something is tried again."""

    def __init__(self, sink: ProgressSink) -> None:
        self._sink = sink
        self._repeats: list[str] = []

    def __call__(self, observed: Progress) -> None:
        if observed.again:
            self._repeats.append(f"{observed.what}: {observed.message}")
        self._sink(observed)

    @property
    def repeats(self) -> tuple[str, ...]:
        """One text for each further try, oldest first."""
        return tuple(self._repeats)
