"""CloudWatch Logs: containers' streams are read from their own logs, everything else comes from moto.

Source: Amazon CloudWatch Logs API, DescribeLogStreams, GetLogEvents, FilterLogEvents.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ecr_widgets.sandbox.ecs.entities import Wire
from ecr_widgets.sandbox.ecs.faults import EcsError, invalid
from ecr_widgets.sandbox.ecs.store import Store
from ecr_widgets.sandbox.ecs.world import task_id
from ecr_widgets.sandbox.neighbours import Neighbours
from ecr_widgets.sandbox.workloads.containers import Containers, LogLine
from ecr_widgets.sandbox.workloads.records import Copy

OURS = ("DescribeLogStreams", "GetLogEvents", "FilterLogEvents")
_MOST_EVENTS = 10_000
_ARN = re.compile(r"arn:aws:logs:[^:]*:[^:]*:log-group:(?P<name>[^:]+)(:\*)?")


@dataclass(frozen=True)
class Stream:
    """One container's log."""

    name: str
    docker_id: str
    created_at_s: float


class ContainerLogs:
    """The log groups that containers write to.

    Args:
        store: The current services and tasks.

        neighbours: Has the groups themselves, and the streams that no container writes.
    """

    def __init__(self, store: Callable[[], Store], containers: Containers, neighbours: Neighbours) -> None:
        self._store = store
        self._containers = containers
        self._neighbours = neighbours

    def act(self, operation: str, given: Wire) -> Wire:
        """Answer one of `OURS`; blocks.

        Raises:
            EcsError: No such group or stream.
        """
        group = _group(given)
        listed = self._neighbours.ask("logs", "DescribeLogGroups", logGroupNamePrefix=group)
        if group not in [each["logGroupName"] for each in listed.get("logGroups") or ()]:
            raise EcsError("ResourceNotFoundException", "The specified log group does not exist.")
        streams = {each.name: each for each in self._streams(group)}
        actions = {
            "DescribeLogStreams": self._describe,
            "GetLogEvents": self._get,
            "FilterLogEvents": self._filter,
        }
        return actions[operation](group, streams, given)

    def _describe(self, group: str, streams: dict[str, Stream], given: Wire) -> Wire:
        prefix = given.get("logStreamNamePrefix", "")
        of_moto = self._neighbours.ask("logs", "DescribeLogStreams", logGroupName=group)
        shown = [each for each in of_moto.get("logStreams") or () if each["logStreamName"].startswith(prefix)]
        shown += [
            _stream_shape(each, self._containers) for each in streams.values() if each.name.startswith(prefix)
        ]
        by_time = given.get("orderBy") == "LastEventTime"
        shown.sort(
            key=lambda each: (each.get("lastEventTimestamp", 0) if by_time else 0, each["logStreamName"]),
            reverse=bool(given.get("descending")),
        )
        start, size = int(given.get("nextToken") or 0), given.get("limit", 50)
        more = {"nextToken": str(start + size)} if start + size < len(shown) else {}
        return {"logStreams": shown[start : start + size]} | more

    def _get(self, group: str, streams: dict[str, Stream], given: Wire) -> Wire:
        stream = streams.get(given["logStreamName"])
        if stream is None:
            return self._of_moto("GetLogEvents", given | {"logGroupName": group})
        events = [
            {"timestamp": at, "message": line.text, "ingestionTime": at}
            for _, line, at in self._lines([stream], given)
        ]
        limit = given.get("limit", _MOST_EVENTS)
        start = _place(given.get("nextToken"), events, limit, from_head=bool(given.get("startFromHead")))
        if (given.get("nextToken") or "f").startswith("b"):
            start, end = max(start - limit, 0), start
        else:
            end = min(start + limit, len(events))
        return {
            "events": events[start:end],
            "nextForwardToken": f"f/{end:056d}/s",
            "nextBackwardToken": f"b/{start:056d}/s",
        }

    def _filter(self, group: str, streams: dict[str, Stream], given: Wire) -> Wire:
        names, prefix = given.get("logStreamNames"), given.get("logStreamNamePrefix", "")
        if names and prefix:
            raise invalid("logStreamNames and logStreamNamePrefix cannot be given together.")
        wanted = [
            each
            for each in streams.values()
            if (not names or each.name in names) and each.name.startswith(prefix)
        ]
        lines = sorted(self._lines(wanted, given), key=lambda each: each[2])
        events: list[Wire] = [
            {
                "logStreamName": stream.name,
                "timestamp": at,
                "message": line.text,
                "ingestionTime": at,
                "eventId": _event_id(stream, line),
            }
            for stream, line, at in lines
            if _matches(line.text, given.get("filterPattern", ""))
        ]
        if not streams:
            of_moto = self._of_moto("FilterLogEvents", given | {"logGroupName": group})
            events = of_moto.get("events") or []
        start, size = int(given.get("nextToken") or 0), given.get("limit", _MOST_EVENTS)
        more = {"nextToken": str(start + size)} if start + size < len(events) else {}
        return {"events": events[start : start + size], "searchedLogStreams": []} | more

    def _lines(self, streams: list[Stream], given: Wire) -> Iterator[tuple[Stream, LogLine, int]]:
        start, end = given.get("startTime", 0), given.get("endTime")
        for stream in streams:
            for line in self._containers.log_lines(stream.docker_id, start_s=start / 1000):
                at = int(line.at_s * 1000)
                if start <= at and (end is None or at < end):
                    yield stream, line, at

    def _streams(self, group: str) -> Iterator[Stream]:
        store = self._store()
        for owner in store.owners():
            for copy in owner.copies:
                yield from self._streams_of(store, copy, group)

    def _streams_of(self, store: Store, copy: Copy, group: str) -> Iterator[Stream]:
        definition = store.definitions[copy.definition_id].given
        given = {each["name"]: each for each in definition["containerDefinitions"]}
        for container in copy.containers:
            log = given[container.name].get("logConfiguration") or {}
            options = log.get("options") or {}
            if (
                container.docker_id is None
                or log.get("logDriver") != "awslogs"
                or options.get("awslogs-group") != group
            ):
                continue
            prefix = options.get("awslogs-stream-prefix")
            name = f"{prefix}/{container.name}/{task_id(copy)}" if prefix else container.docker_id
            yield Stream(name, container.docker_id, copy.launched_at_s)

    def _of_moto(self, operation: str, given: Wire) -> Wire:
        answer = self._neighbours.ask(
            "logs", operation, **{k: v for k, v in given.items() if k != "logGroupIdentifier"}
        )
        if "__type" in answer:
            if operation == "GetLogEvents":
                raise EcsError("ResourceNotFoundException", "The specified log stream does not exist.")
            raise EcsError(answer["__type"].rpartition("#")[2], str(answer.get("message", "")))
        return answer


def _stream_shape(stream: Stream, containers: Containers) -> Wire:
    times = [int(line.at_s * 1000) for line in containers.log_lines(stream.docker_id)]
    first_and_last = (
        {
            "firstEventTimestamp": times[0],
            "lastEventTimestamp": times[-1],
            "lastIngestionTime": times[-1],
        }
        if times
        else {}
    )
    return {
        "logStreamName": stream.name,
        "creationTime": int(stream.created_at_s * 1000),
        "storedBytes": 0,
        "uploadSequenceToken": "0",
    } | first_and_last


def _group(given: Wire) -> str:
    identifier = str(given.get("logGroupName") or given.get("logGroupIdentifier") or "")
    match = _ARN.fullmatch(identifier)
    return match["name"] if match else identifier


def _event_id(stream: Stream, line: LogLine) -> str:
    """An id that is the same each time the line is read."""
    digest = hashlib.sha256(f"{stream.name} {line.at_s} {line.text}".encode()).digest()
    return f"{int(line.at_s * 1000):016d}{int.from_bytes(digest[:16]):040d}"


def _place(token: Any, events: list[Wire], limit: int, *, from_head: bool) -> int:
    if token:
        try:
            return int(str(token).split("/")[1])
        except (IndexError, ValueError) as error:
            raise invalid("The specified nextToken is invalid.") from error
    return 0 if from_head else max(len(events) - limit, 0)


def _matches(text: str, pattern: str) -> bool:
    """Whether a line has all plain words of a pattern, none of those with a minus, and any of those with a question mark."""
    words = [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|(\S+)', pattern)]
    anyone = [word[1:] for word in words if word.startswith("?")]
    none = [word[1:] for word in words if word.startswith("-")]
    every = [word for word in words if not word.startswith(("?", "-"))]
    return (
        all(word in text for word in every)
        and not any(word in text for word in none)
        and (not anyone or any(word in text for word in anyone))
    )
