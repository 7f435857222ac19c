"""Standalone tasks: started once, found again by the run that started them, and followed to their end."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property

from ecr_widgets.adapters.ecs.copies import Copies
from ecr_widgets.adapters.ecs.decode import (
    environment_pairs,
    failure_text,
    last_part,
    objects,
    overrides,
    task,
    task_name,
)
from ecr_widgets.adapters.ecs.places import Places
from ecr_widgets.adapters.ecs.wire import Wire
from ecr_widgets.errors import DeploymentFailed, EntityNotFound
from ecr_widgets.model.services import Settings, Summary, Task, TaskRequest

EnvVars = Mapping[str, Mapping[str, str]]

_SHOWS_S = 20.0
"""How long, in seconds, ECS may not yet report a task that was just started."""
_SHORT = {
    "AGENT": "the agent of the container instance is not connected",
    "ATTRIBUTE": "no container instance has an attribute that the task definition needs",
    "RESOURCE": "no container instance has enough of it left",
}
_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9/_-]", re.ASCII)
_LONGEST_STARTED_BY = 128


class Tasks(Places, Copies):
    """Implements the tasks of `ports.services.Services`."""

    @cached_property
    def _started(self) -> dict[str, tuple[float, Wire]]:
        """Tasks that this process has started, by id: when, and ECS's answer."""
        return {}

    def task_requests(
        self, environment_id: str, name: str, deploy_id: str, env_vars: EnvVars, *, run_id: str
    ) -> frozenset[str]:
        cluster = self._address.cluster_name(environment_id)
        wanted = {container: dict(values) for container, values in env_vars.items() if values}
        return frozenset(
            self._task_id(each)
            for status in ("RUNNING", "STOPPED")
            for each in self._tasks(cluster, startedBy=_started_by(run_id), desiredStatus=status)
            if (task_name(each), last_part(str(each.get("taskDefinitionArn")))) == (name, deploy_id)
            and overrides(each) == wanted
        )

    def start_task(
        self,
        environment_id: str,
        name: str,
        deploy_id: str,
        env_vars: EnvVars,
        *,
        run_id: str,
        token: str,
        settings: Settings | None = None,
    ) -> str:
        containers = [
            {"name": container, "environment": environment_pairs(values)}
            for container, values in env_vars.items()
        ]
        asked = {
            **(settings or {}),
            "cluster": self._address.cluster_name(environment_id),
            "taskDefinition": deploy_id,
            "count": 1,
            "group": name,
            "startedBy": _started_by(run_id),
            "clientToken": token,
            "overrides": {"containerOverrides": containers},
        }
        task_id, raw = self._changed("ecs:RunTask", lambda answer: self._only_task(answer, name), **asked)
        self._started[task_id] = self._clock.monotonic_s(), raw
        return task_id

    def read_task_request(self, request_id: str) -> TaskRequest:
        _, number = self._address.in_cluster(request_id, "task")
        return TaskRequest(request_id, f"task {number}", "started", request_id)

    def read_task(self, task_id: str) -> Task:
        if not task_id.startswith("arn:"):
            raise EntityNotFound(f"{task_id!r} is not a task's id", hint="give its ARN, or ecs:CLUSTER:NAME")
        cluster, number = self._address.in_cluster(task_id, "task")
        raw = self._ended.get(task_id) or next(iter(self._described_tasks(cluster, [number])), None)
        if raw is None:
            started_s, raw = self._started.get(task_id, (0.0, None))
            if raw is None or self._clock.monotonic_s() - started_s > _SHOWS_S:
                raise EntityNotFound(
                    f"task {number} is not reported in cluster {cluster!r}",
                    hint="ECS reports a task for one hour after its end",
                )
        return task(raw, self._address, self._definition_of(raw))

    def list_tasks(self, environment_id: str | None = None) -> tuple[Summary, ...]:
        listed = [
            Summary(self._task_id(each), task_name(each), self._address.cluster(cluster), f"ecs:{cluster}")
            for cluster in self._clusters(environment_id)
            for status in ("RUNNING", "STOPPED")
            for each in self._tasks(cluster, desiredStatus=status)
            # The rest are copies of services.
            if not task_name(each).startswith("service:")
        ]
        return tuple(sorted(listed, key=lambda each: (each.name, each.entity_id)))

    def delete_task(self, task_id: str) -> None:
        cluster, number = self._address.in_cluster(task_id, "task")
        self._change("ecs:StopTask", cluster=cluster, task=number, reason="Stopped by ecr-widgets")

    def _only_task(self, answer: Wire, name: str) -> tuple[str, Wire]:
        """The id of the task that was started, and ECS's answer about it.

        Raises:
            DeploymentFailed: ECS started nothing.
        """
        started = objects(answer, "tasks")
        if started:
            return self._task_id(started[0]), started[0]
        reasons = tuple(map(_why_not, objects(answer, "failures"))) or (
            "ECS started nothing and gave no reason",
        )
        raise DeploymentFailed(
            f"task {name!r} was not started: {reasons[0]}",
            reasons=reasons,
            hint="add capacity, let its containers reserve less, or name another launch type in a service file",
        )


def _why_not(failure: Wire) -> str:
    text = failure_text(failure)
    meaning = _SHORT.get(str(failure.get("reason") or "").partition(":")[0])
    return text if meaning is None else f"{text}: {meaning}"


def _started_by(run_id: str) -> str:
    return _NOT_ALLOWED.sub("-", f"ecr-widgets/{run_id}")[:_LONGEST_STARTED_BY]
