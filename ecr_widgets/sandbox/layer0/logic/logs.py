"""Log lines of copies, for both services and tasks."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from ecr_widgets.sandbox.layer0.api_errors import ApiError, Code
from ecr_widgets.sandbox.layer0.logic.world import Wire, World
from ecr_widgets.sandbox.workloads.records import Copy

_LONGEST_NUMBER = 18
_FORM = "YYYY-MM-DD HH:MM"
_JOB_LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) ")


def tail_of(query: Mapping[str, str]) -> int:
    """How many lines from the end are requested, 0 for all; the real server reads this before anything else.

    Raises:
        ApiError: Not a number.
    """
    tail = query.get("tail") or "0"
    if not re.fullmatch(r"[+-]?\d+", tail, re.ASCII):
        raise ApiError(Code.INVALID_JSON, f'strconv.ParseInt: parsing "{tail}": invalid syntax')
    if len(tail) > _LONGEST_NUMBER:
        raise ApiError(Code.INVALID_JSON, f'strconv.ParseInt: parsing "{tail}": value out of range')
    return max(int(tail), 0)


class Window:
    """The requested part of a log.

    Raises:
        ApiError: A bound or the number of lines is malformed.
    """

    def __init__(self, query: Mapping[str, str]) -> None:
        self.tail = tail_of(query)
        self.start, self.end = (_minute(query.get(each)) for each in ("start", "end"))

    def cut(self, lines: Iterable[str]) -> list[str]:
        """The requested part of a job's lines, each of which begins with its time."""
        kept = [line for line in lines if self._holds(line)]
        return kept[-self.tail :] if self.tail else kept

    def _holds(self, line: str) -> bool:
        match = _JOB_LINE.match(line)
        at = datetime.fromisoformat(match[1]).replace(tzinfo=UTC) if match else None
        return at is None or (
            (self.start is None or at >= self.start) and (self.end is None or at <= self.end)
        )


async def read_logs(world: World, copies: Iterable[Copy], query: Mapping[str, str]) -> list[Wire]:
    """One LogFile per container; with several copies the same name occurs several times."""
    window = Window(query)
    return [
        {
            "lines": await asyncio.to_thread(
                world.containers.logs,
                container.docker_id,
                tail=window.tail,
                start=window.start,
                end=window.end,
            ),
            "name": container.name,
        }
        for copy in copies
        for container in copy.containers
        if container.docker_id is not None
    ]


def _minute(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    except ValueError as error:
        raise ApiError(Code.UNEXPECTED_ERROR, f"Invalid time: must be in format {_FORM}") from error
