"""Log lines of all copies of a service or task, merged, and as they come."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ecr_widgets.model.services import ContainerLog
from ecr_widgets.ports import Clock

_PAUSE_S = 1.0
_TIME = re.compile(r"\W?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,6})?(?:Z|[+-]\d\d:?\d\d)?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line and where it comes from: the container's name, with a number if several copies run."""

    source: str
    text: str

    def __str__(self) -> str:
        return f"[{self.source}] {self.text}"


def merge(logs: Sequence[ContainerLog]) -> tuple[LogLine, ...]:
    """All lines by time, after those without times: these come copy by copy, oldest first, as Layer0 lists the newest first.

    If the target reports no times, those at the beginnings of lines count.
    """
    return Follower().news(logs)


class Follower:
    """Finds what is new in a log that is read again and again.

    A copy is recognised by its id. Layer0 reports none, so there a copy is recognised by its lines: it still begins with what
    was read before.
    """

    def __init__(self) -> None:
        self._seen: list[tuple[ContainerLog, str]] = []
        """What was read of each copy, and what it is called."""

    def news(self, logs: Sequence[ContainerLog]) -> tuple[LogLine, ...]:
        """The lines of whole logs that were not returned yet."""
        known = sorted(self._seen, key=lambda each: len(each[0].lines), reverse=True)
        new: list[tuple[ContainerLog, str, int]] = []
        unknown: list[ContainerLog] = []
        for log in reversed(logs):
            match = next((each for each in known if _is_same(each[0], log)), None)
            if match is None:
                unknown.append(log)
                continue
            known.remove(match)
            self._seen.remove(match)
            self._seen.append((log, match[1]))
            new.append((log, match[1], len(match[0].lines)))
        for log in unknown:
            number = 1 + sum(seen.name == log.name for seen, _ in self._seen)
            source = log.name if number == 1 else f"{log.name}-{number}"
            self._seen.append((log, source))
            new.append((log, source, 0))
        timed: list[tuple[datetime, LogLine]] = []
        timeless: list[LogLine] = []
        for log, source, start in new:
            lines = [LogLine(source, line) for line in log.lines[start:]]
            times = log.times or _written_times(log.lines)
            if times:
                timed += zip(times[start:], lines, strict=True)
            else:
                timeless += lines
        timed.sort(key=lambda each: each[0])
        return (*timeless, *(line for _, line in timed))


def _written_times(lines: Sequence[str]) -> tuple[datetime, ...]:
    """The times at the beginnings of lines; a line without one has that of the line before. Empty if no line has one."""
    written = list(map(_written_time, lines))
    last = next((each for each in written if each is not None), None)
    times: list[datetime] = []
    if last is not None:
        for each in written:
            last = each or last
            times.append(last)
    return tuple(times)


def _written_time(line: str) -> datetime | None:
    """The time that a line begins with, such as `[2026-11-23T17:00:01Z]`; a time without an offset counts as UTC."""
    match = _TIME.match(line)
    if match is None:
        return None
    try:
        at = datetime.fromisoformat(match[1].replace(",", "."))
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _is_same(seen: ContainerLog, log: ContainerLog) -> bool:
    if seen.name != log.name or seen.copy_id != log.copy_id:
        return False
    return bool(log.copy_id) or log.lines[: len(seen.lines)] == seen.lines


def follow(
    clock: Clock, read: Callable[[], Sequence[ContainerLog]], is_over: Callable[[], bool], *, timeout_s: float
) -> Iterator[LogLine]:
    """Lines as they come, until it is over or the time is up.

    Args:
        read: Reads whole logs; a log that is cut to its tail cannot be followed.

        is_over: Returns whether nothing more will come; called before each read, so that one more read follows.
    """
    follower = Follower()
    deadline_s = clock.monotonic_s() + timeout_s
    while True:
        over = is_over() or clock.monotonic_s() >= deadline_s
        yield from follower.news(read())
        if over:
            return
        clock.sleep(_PAUSE_S)
