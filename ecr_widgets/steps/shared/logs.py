"""Log lines of all copies of a service or of a task, together, and as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ecr_widgets.model.services import ContainerLog
from ecr_widgets.ports import Clock

_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line and where it comes from: the container's name, with a number where several copies run."""

    source: str
    text: str

    def __str__(self) -> str:
        return f"{self.source} | {self.text}"


def merge(logs: Sequence[ContainerLog]) -> tuple[LogLine, ...]:
    """All lines, copy by copy, oldest copy first: Layer0 tells the newest first, and no times."""
    follower = Follower()
    return follower.news(logs)


class Follower:
    """Tells apart what is new in a log that is read again and again.

    Layer0 names no copies, so a copy is known by its lines: what was read of it before is how it still begins.
    """

    def __init__(self) -> None:
        self._seen: list[tuple[str, str, tuple[str, ...]]] = []

    def news(self, logs: Sequence[ContainerLog]) -> tuple[LogLine, ...]:
        """The lines that were not told yet, of whole logs."""
        known = sorted(self._seen, key=lambda each: len(each[2]), reverse=True)
        found: list[LogLine] = []
        unknown: list[ContainerLog] = []
        for log in reversed(logs):
            match = next((k for k in known if k[0] == log.name and log.lines[: len(k[2])] == k[2]), None)
            if match is None:
                unknown.append(log)
                continue
            known.remove(match)
            self._seen.remove(match)
            self._seen.append((log.name, match[1], log.lines))
            found += [LogLine(match[1], line) for line in log.lines[len(match[2]) :]]
        for log in unknown:
            number = 1 + sum(name == log.name for name, _, _ in self._seen)
            source = log.name if number == 1 else f"{log.name}-{number}"
            self._seen.append((log.name, source, log.lines))
            found += [LogLine(source, line) for line in log.lines]
        return tuple(found)


def follow(
    clock: Clock, read: Callable[[], Sequence[ContainerLog]], is_over: Callable[[], bool], *, timeout_s: float
) -> Iterator[LogLine]:
    """Lines as they come, until it is over or the time is up.

    Args:
        read: Reads whole logs; a log that is cut to its tail cannot be followed.

        is_over: Whether nothing more will come; asked before a last read.
    """
    follower = Follower()
    deadline_s = clock.monotonic_s() + timeout_s
    while True:
        over = is_over() or clock.monotonic_s() >= deadline_s
        yield from follower.news(read())
        if over:
            return
        clock.sleep(_PAUSE_S)
