"""Tasks that are copies of a service: those that run, and why others stopped."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from ecr_widgets.adapters.ecs.decode import copy, decoded, last_part, moment, objects, task_id
from ecr_widgets.adapters.ecs.deploys import Deploys
from ecr_widgets.adapters.ecs.wire import Wire
from ecr_widgets.model.services import Copy

_PAGE = 100
_ENDED = frozenset(("DEPROVISIONING", "STOPPED", "DELETED"))
_NOT_BY_THEMSELVES = frozenset(
    (
        *("UserInitiated", "ServiceSchedulerInitiated"),
        *("SpotInterruption", "TerminationNotice", "InfrastructureHealth"),
    )
)
_FAILED_CHECK = "failed"
"""Only in these reasons did the scheduler stop a copy because the copy itself failed: `Task failed ELB health checks`."""
_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


class Copies(Deploys):
    """Implements the copies of `ports.services.Services`."""

    @cached_property
    def _ended(self) -> dict[str, Wire]:
        """Tasks that have stopped, by ARN: they no longer change, so they are not read again."""
        return {}

    def list_copies(self, service_id: str) -> tuple[Copy, ...]:
        cluster, name = self._address.in_cluster(service_id, "service")
        running = self._tasks(cluster, serviceName=name, desiredStatus="RUNNING")
        ordered = sorted(running, key=lambda each: moment(each.get("createdAt")) or _BEGINNING)
        return tuple(self._copy(each) for each in ordered)

    def _copy(self, raw: Wire) -> Copy:
        return copy(raw, self._address, self._definition_of(raw))

    def _definition_of(self, raw: Wire) -> Wire:
        return self._definition(last_part(str(raw.get("taskDefinitionArn"))))

    def _tasks(self, cluster: str, **asked: Any) -> list[Wire]:
        """Tasks of a cluster as DescribeTasks reports them, in no particular order."""
        arns = list(self._listed("ecs:ListTasks", "taskArns", cluster=cluster, maxResults=_PAGE, **asked))
        fresh = list(self._described_tasks(cluster, [each for each in arns if each not in self._ended]))
        known = [self._ended[each] for each in arns if each in self._ended]
        self._ended.update(
            {str(each.get("taskArn")): each for each in fresh if each.get("lastStatus") == "STOPPED"}
        )
        return [*known, *fresh]

    def _described_tasks(self, cluster: str, arns: list[str]) -> Iterable[Wire]:
        return self._described("ecs:DescribeTasks", "tasks", arns, at_once=_PAGE, cluster=cluster)

    def _stopped_tasks(self, cluster: str, service: str) -> list[Wire]:
        """Stopped tasks of a service, in the order in which they stopped; ECS reports them for an hour."""
        found = self._tasks(cluster, serviceName=service, desiredStatus="STOPPED")
        return sorted((each for each in found if each.get("lastStatus") in _ENDED), key=stopped_at)

    def _stop_reasons(self, cluster: str, service: str) -> dict[str, tuple[str, ...]]:
        """Why copies failed by themselves, oldest first, by deployment id."""
        reasons: dict[str, tuple[str, ...]] = {}
        for each in self._stopped_tasks(cluster, service):
            if by_itself(each):
                deployment = str(each.get("startedBy") or "")
                reasons[deployment] = (*reasons.get(deployment, ()), stop_reason(each))
        return reasons

    def _task_id(self, raw: Wire) -> str:
        return task_id(raw, self._address)


@decoded
def stopped_at(raw: Wire) -> datetime:
    """When a task stopped, or began to stop."""
    return moment(raw.get("stoppedAt")) or moment(raw.get("stoppingAt")) or _BEGINNING


@decoded
def by_itself(raw: Wire) -> bool:
    """Whether a task failed or ended by itself, and was not stopped by a person, the scheduler or the platform."""
    code, reason = str(raw.get("stopCode") or ""), str(raw.get("stoppedReason") or "")
    if code == "ServiceSchedulerInitiated" or not code:
        return _FAILED_CHECK in reason or (not code and not reason.startswith("Scaling activity"))
    return code not in _NOT_BY_THEMSELVES


@decoded
def stop_reason(raw: Wire) -> str:
    """Why a task stopped, as a sentence: its reason and stop code, its containers' reasons and exit codes."""
    code = str(raw.get("stopCode") or "")
    reason = str(raw.get("stoppedReason") or "") or "task stopped"
    ends = [_end(each, reason) for each in objects(raw, "containers")]
    ended = ", ".join(filter(None, ends))
    return reason + (f" ({code})" if code and code not in reason else "") + (f": {ended}" if ended else "")


def _end(raw: Wire, reason: str) -> str:
    """How a container ended, and why unless its task already says so."""
    why, exit_code = str(raw.get("reason") or ""), raw.get("exitCode")
    how = f"ended with code {exit_code}" if exit_code is not None else "never ran" if why else ""
    return f"{raw.get('name')} {how}" + (f" ({why})" if why and why not in reason else "") if how else ""
