"""Log lines from CloudWatch, if a container's log options send them there."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from ecr_widgets.adapters.ecs.calls import ERRORS
from ecr_widgets.adapters.ecs.copies import Copies, by_itself, stopped_at
from ecr_widgets.adapters.ecs.decode import container_definitions, decoded, last_part, objects
from ecr_widgets.adapters.ecs.wire import Wire
from ecr_widgets.errors import AuthorizationError, EcrWidgetsError
from ecr_widgets.model.services import ContainerLog

_ACTION = "logs:GetLogEvents"
_PAGE = 10_000
_MOST_PAGES = 200
_MISSING = "ResourceNotFoundException"


class Logs(Copies):
    """Implements the logs of `ports.services.Services`."""

    @cached_property
    def _cloudwatch(self) -> dict[str, Any]:
        """Clients by region: a container's log may go to another region."""
        return {}

    def service_logs(
        self, service_id: str, *, tail: int = 0, start: datetime | None = None, end: datetime | None = None
    ) -> tuple[ContainerLog, ...]:
        cluster, name = self._address.in_cluster(service_id, "service")
        running = self._tasks(cluster, serviceName=name, desiredStatus="RUNNING")
        stopped = self._stopped_tasks(cluster, name)
        if start is not None:
            # When following a log, also show the last lines of copies that were replaced meanwhile.
            stopped = [each for each in stopped if stopped_at(each) >= start]
        else:
            stopped = [] if running else stopped[-1:]
        return tuple(log for each in (*stopped, *running) for log in self._logs_of(each, tail, start, end))

    def crash_logs(self, service_id: str, deployment_id: str, *, tail: int) -> tuple[ContainerLog, ...]:
        cluster, name = self._address.in_cluster(service_id, "service")
        ended = [
            each
            for each in self._stopped_tasks(cluster, name)
            if deployment_id in ("", each.get("startedBy"))
        ]
        # Prefer a copy that failed by itself: the last lines of one stopped from outside do not show the problem.
        ended.sort(key=by_itself)
        return tuple(self._logs_of(ended[-1], tail, None, None)) if ended else ()

    def task_logs(
        self, task_id: str, *, tail: int = 0, start: datetime | None = None, end: datetime | None = None
    ) -> tuple[ContainerLog, ...]:
        cluster, number = self._address.in_cluster(task_id, "task")
        found = self._described_tasks(cluster, [number])
        return tuple(log for each in found for log in self._logs_of(each, tail, start, end))

    def _logs_of(
        self, task: Wire, tail: int, start: datetime | None, end: datetime | None
    ) -> Iterator[ContainerLog]:
        copy_id = self._task_id(task)
        for container in container_definitions(self._definition_of(task)):
            name = str(container.get("name"))
            where = _destination(container, task)
            if isinstance(where, str):
                yield ContainerLog(name, (where,), copy_id)
                continue
            region, group, stream = where
            try:
                lines = self._lines(region or self._address.region, group, stream, tail, start, end)
            except AuthorizationError as error:
                # A missing permission for the log must not hide how the container ended.
                yield ContainerLog(name, (f"its log group {group} cannot be read: {error}",), copy_id)
                continue
            if lines:
                yield ContainerLog(
                    name, tuple(text for _, text in lines), copy_id, tuple(at for at, _ in lines)
                )

    def _lines(
        self, region: str, group: str, stream: str, tail: int, start: datetime | None, end: datetime | None
    ) -> list[tuple[datetime, str]]:
        """Lines, oldest first; empty if the group or stream does not exist, as before the first line."""
        asked: dict[str, Any] = {"logGroupName": group, "logStreamName": stream, "startFromHead": not tail}
        asked |= {"limit": min(tail, _PAGE)} if tail else {}
        asked |= {"startTime": _milliseconds(start)} if start is not None else {}
        # CloudWatch excludes the end time itself.
        asked |= {"endTime": _milliseconds(end) + 1} if end is not None else {}
        found: deque[tuple[datetime, str]] = deque(maxlen=tail or None)
        token = ""
        for _ in range(_MOST_PAGES):
            try:
                answer = ERRORS.translated(
                    _ACTION,
                    lambda more=({"nextToken": token} if token else {}): self._logs_in(  # type: ignore[misc]
                        region
                    ).get_log_events(**asked, **more),
                )
            except EcrWidgetsError as error:
                if _MISSING in error.message:
                    return []
                raise
            lines = _events(answer)
            if tail:
                found.extendleft(reversed(lines[-(tail - len(found)) :]))
            else:
                found.extend(lines)
            # The same token again means the end; an empty page does not.
            next_token = str(answer.get("nextBackwardToken" if tail else "nextForwardToken") or "")
            if not next_token or next_token == token or (tail and len(found) >= tail):
                break
            token = next_token
        return list(found)

    def _logs_in(self, region: str) -> Any:
        if region not in self._cloudwatch:
            self._cloudwatch[region] = self._aws.client("logs", region=region)
        return self._cloudwatch[region]


@decoded
def _destination(container: Wire, task: Wire) -> tuple[str, str, str] | str:
    """Region, group and stream of a container's log; a sentence if it does not go to CloudWatch."""
    configuration = container.get("logConfiguration") or {}
    driver, options = configuration.get("logDriver", ""), configuration.get("options") or {}
    if driver != "awslogs":
        return f"its log goes to {driver}" if driver else "its log stays where it runs: no log driver is set"
    prefix = options.get("awslogs-stream-prefix")
    if prefix:
        stream = f"{prefix}/{container['name']}/{last_part(task['taskArn'])}"
    else:
        # Without a prefix, on EC2 instances, the stream is the container's id in Docker.
        runtimes = {each["name"]: each.get("runtimeId") or "" for each in objects(task, "containers")}
        stream = runtimes.get(container["name"], "")
    return options.get("awslogs-region", ""), options["awslogs-group"], stream or "-"


@decoded
def _events(answer: Wire) -> list[tuple[datetime, str]]:
    return [
        (datetime.fromtimestamp(each["timestamp"] / 1000, UTC), each["message"]) for each in answer["events"]
    ]


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
