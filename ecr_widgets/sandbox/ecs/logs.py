"""CloudWatch Logs: moto answers, after it was given what containers have written to the group.

Source: Amazon CloudWatch Logs API, DescribeLogStreams, GetLogEvents, FilterLogEvents.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from threading import Lock
from typing import Any

from ecr_widgets.sandbox.ecs.entities import Wire
from ecr_widgets.sandbox.ecs.faults import EcsError, invalid
from ecr_widgets.sandbox.ecs.store import Store
from ecr_widgets.sandbox.ecs.world import task_id
from ecr_widgets.sandbox.neighbours import Neighbours
from ecr_widgets.sandbox.workloads.containers import Containers
from ecr_widgets.sandbox.workloads.records import Copy

OURS = ("DescribeLogStreams", "GetLogEvents", "FilterLogEvents")
_MISSING = "ResourceNotFoundException"
_NO_STREAM = "*"
"""A name that no stream can have: moto takes an empty list of names for all streams."""
_ARN = re.compile(r"arn:aws:logs:[^:]*:[^:]*:log-group:(?P<name>[^:]+)(:\*)?")


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
        self._written: dict[str, dict[str, str]] = {}
        """By group, the Docker id of the container that writes each stream."""
        self._lock = Lock()

    def act(self, operation: str, given: Wire) -> Wire:
        """Answer one of `OURS`; blocks.

        Raises:
            EcsError: No such group or stream.
        """
        name = _group(given)
        group = self._neighbours.log_group(name)
        if group is None:
            raise EcsError(_MISSING, "The specified log group does not exist.")
        self._take_over(name, group, only=given.get("logStreamName"))
        asked = {key: value for key, value in given.items() if key != "logGroupIdentifier"}
        asked["logGroupName"] = name
        if "endTime" in asked:
            asked["endTime"] -= 1  # which moto includes
        if operation == "GetLogEvents" and given["logStreamName"] not in group.streams:
            raise EcsError(_MISSING, "The specified log stream does not exist.")
        if operation == "FilterLogEvents" and (prefix := asked.pop("logStreamNamePrefix", "")):
            if given.get("logStreamNames"):
                raise invalid("logStreamNames and logStreamNamePrefix cannot be given together.")
            # moto does not know the prefix.
            names = [each for each in group.streams if each.startswith(prefix)]
            asked["logStreamNames"] = names or [_NO_STREAM]
        answer = self._neighbours.ask("logs", operation, **asked)
        if "__type" in answer:
            raise EcsError(answer["__type"].rpartition("#")[2], str(answer.get("message", "")))
        return answer

    def _take_over(self, name: str, group: Any, *, only: str | None) -> None:
        """Add new lines to moto's streams, and remove streams of tasks that are not reported any more.

        Args:
            only: The one stream to bring up to date; None for all.
        """
        with self._lock:
            written = dict(self._streams(name))
            for gone in self._written.get(name, {}).keys() - written.keys():
                group.streams.pop(gone, None)
            self._written[name] = written
            for stream, docker_id in written.items():
                if only in (None, stream):
                    if stream not in group.streams:
                        group.create_log_stream(stream)
                    lines = self._containers.log_lines(docker_id)
                    fresh = [
                        {"timestamp": int(line.at_s * 1000), "message": line.text}
                        for line in lines[len(group.streams[stream].events) :]
                    ]
                    if fresh:
                        group.put_log_events(stream, fresh)

    def _streams(self, group: str) -> Iterator[tuple[str, str]]:
        store = self._store()
        for owner in store.owners():
            for copy in owner.copies:
                yield from _streams_of(store, copy, group)


def _streams_of(store: Store, copy: Copy, group: str) -> Iterator[tuple[str, str]]:
    definition = store.definitions[copy.definition_id].given
    given = {each["name"]: each for each in definition["containerDefinitions"]}
    for container in copy.containers:
        log = given[container.name].get("logConfiguration") or {}
        options = log.get("options") or {}
        is_there = log.get("logDriver") == "awslogs" and options.get("awslogs-group") == group
        if is_there and container.docker_id is not None:
            prefix = options.get("awslogs-stream-prefix")
            name = f"{prefix}/{container.name}/{task_id(copy)}" if prefix else container.docker_id
            yield name, container.docker_id


def _group(given: Wire) -> str:
    identifier = str(given.get("logGroupName") or given.get("logGroupIdentifier") or "")
    match = _ARN.fullmatch(identifier)
    return match["name"] if match else identifier
