"""Layer0's JSON as our values; field names are translated here and nowhere else.

Every field is optional and unknown fields are ignored: releases differ, and their version numbers do not say how.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from ecr_widgets.errors import Layer0Unavailable
from ecr_widgets.model.layer0 import Environment, Job, JobState
from ecr_widgets.model.layer0_cluster import ClusterScale, Instance
from ecr_widgets.model.layer0_load_balancer import HealthCheck, LoadBalancer, Port
from ecr_widgets.model.services import ContainerLog, Deploy, Deployment, Service, Summary, Task, TaskContainer
from ecr_widgets.model.times import from_rfc3339

Wire = Mapping[str, Any]

_LONGEST_NUMBER = 18
_NEVER_RAN = re.compile(r"Cannot(Pull|Create|Start)\w*Error|ResourceInitializationError|Task failed to start")
"""ECS's words for a container that was never started."""


def an_object(value: Any) -> Wire:
    """The value, if it is a JSON object.

    Raises:
        Layer0Unavailable: Something else answered.
    """
    if not isinstance(value, dict):
        raise Layer0Unavailable(f"Layer0 answered {type(value).__name__} where an object belongs")
    return value


def objects(value: Any) -> list[Wire]:
    """The value, if it is a list of JSON objects; null is an empty list.

    Raises:
        Layer0Unavailable: Something else answered.
    """
    if value is None:
        return []
    if not isinstance(value, list):
        raise Layer0Unavailable(f"Layer0 answered {type(value).__name__} where a list belongs")
    return [an_object(item) for item in value]


def entity(value: Any, id_name: str) -> Wire:
    """The value, if it is a JSON object with the id; its other fields are optional.

    Raises:
        Layer0Unavailable: Something else answered.
    """
    raw = an_object(value)
    if not _text(raw, id_name):
        raise Layer0Unavailable(f"Layer0 answered an object without {id_name}")
    return raw


def deploy(raw: Wire) -> Deploy:
    """A stored Dockerrun."""
    document = None
    if raw.get("dockerrun"):
        with suppress(binascii.Error, ValueError):
            document = base64.b64decode(_text(raw, "dockerrun"))
    return Deploy(
        _text(raw, "deploy_id"), _text(raw, "deploy_name"), number_in(_text(raw, "version")), document
    )


def service(raw: Wire) -> Service:
    """A service with its deployments, newest first."""
    return Service(
        service_id=_text(raw, "service_id"),
        name=_text(raw, "service_name"),
        environment_id=_text(raw, "environment_id"),
        desired_count=_count(raw, "desired_count"),
        running_count=_count(raw, "running_count"),
        pending_count=_count(raw, "pending_count"),
        deployments=tuple(_deployment(each) for each in objects(raw.get("deployments"))),
        load_balancer_id=_text(raw, "load_balancer_id") or None,
    )


def task(raw: Wire) -> Task:
    """A task; an exit code counts only once its container stopped."""
    copies = objects(raw.get("copies"))
    return Task(
        task_id=_text(raw, "task_id"),
        name=_text(raw, "task_name"),
        environment_id=_text(raw, "environment_id"),
        deploy_id=_text(raw, "deploy_id"),
        running_count=_count(raw, "running_count"),
        pending_count=_count(raw, "pending_count"),
        reason="; ".join(_text(each, "reason") for each in copies if each.get("reason")),
        containers=tuple(container for each in copies for container in _containers(each)),
    )


def job(raw: Wire) -> Job:
    """A job."""
    try:
        state = JobState(raw.get("job_status", 0))
    except ValueError as error:
        raise Layer0Unavailable(f"Layer0 reports an unknown job status {raw.get('job_status')!r}") from error
    meta = raw.get("meta") or {}
    return Job(
        _text(raw, "job_id"),
        state,
        tuple((str(k), str(v)) for k, v in an_object(meta).items()),
        _text(raw, "task_id"),
        _text(raw, "request"),
    )


def environment(raw: Wire) -> Environment:
    """An environment."""
    return Environment(
        environment_id=_text(raw, "environment_id"),
        name=_text(raw, "environment_name"),
        operating_system=_text(raw, "operating_system"),
        cluster_count=_count(raw, "cluster_count"),
        min_count=_count(raw, "min_count"),
        max_count=_count(raw, "max_count"),
        instance_size=_text(raw, "instance_size"),
        links=_texts(raw, "links"),
    )


def tagged_environment(environment_id: str, found: Mapping[str, str]) -> Environment:
    """An environment as its tags describe it."""
    return Environment(environment_id, found.get("name", ""), found.get("os", ""))


def load_balancer(raw: Wire) -> LoadBalancer:
    """A load balancer; its url is empty until AWS has given it one."""
    check = raw.get("health_check")
    return LoadBalancer(
        load_balancer_id=_text(raw, "load_balancer_id"),
        name=_text(raw, "load_balancer_name"),
        environment_id=_text(raw, "environment_id"),
        url=_text(raw, "url"),
        is_public=raw.get("is_public") is True,
        ports=tuple(_port(each) for each in objects(raw.get("ports"))),
        health_check=_health_check(check if isinstance(check, dict) else {}),
        idle_timeout=_count(raw, "idle_timeout"),
        cross_zone=raw.get("cross_zone") is True,
        service_id=_text(raw, "service_id") or None,
    )


def cluster_scale(raw: Wire) -> ClusterScale:
    """A run of the scaler."""
    return ClusterScale(
        environment_id=_text(raw, "environment_id"),
        before=_count(raw, "scale_before_run"),
        desired=_count(raw, "desired_scale_after_run"),
        after=_count(raw, "actual_scale_after_run"),
        unused=_count(raw, "unused_resource_providers"),
        waiting=tuple(_text(each, "id") for each in objects(raw.get("pending_resources"))),
        instances=tuple(
            Instance(
                _text(each, "id"),
                each.get("in_use") is True,
                tuple(port for port in map(number_in, _texts(each, "used_ports")) if port),
                _text(each, "available_memory"),
            )
            for each in objects(raw.get("resource_providers"))
        ),
    )


def summaries(value: Any, kind: str) -> list[Summary]:
    """What a list says about services, tasks or load balancers."""
    return [
        Summary(
            _text(each, f"{kind}_id"),
            _text(each, f"{kind}_name"),
            _text(each, "environment_id"),
            _text(each, "environment_name"),
        )
        for each in objects(value)
    ]


def logs(value: Any) -> tuple[ContainerLog, ...]:
    """Log lines by container."""
    return tuple(ContainerLog(_text(each, "name"), _texts(each, "lines")) for each in objects(value))


def tags(raw: Wire) -> dict[str, str]:
    """An entity's tags by key."""
    return {_text(tag, "key"): _text(tag, "value") for tag in objects(raw.get("tags"))}


def number_in(text: str) -> int:
    """The number that a text is, such as a deploy's version; 0 if it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER else 0


def _deployment(raw: Wire) -> Deployment:
    return Deployment(
        deployment_id=_text(raw, "deployment_id"),
        deploy_id=_text(raw, "deploy_id"),
        status=_text(raw, "status"),
        desired_count=_count(raw, "desired_count"),
        running_count=_count(raw, "running_count"),
        pending_count=_count(raw, "pending_count"),
        created_at=_time(raw, "created"),
        events=_texts(raw, "events"),
        stopped_reasons=_texts(raw, "stopped_reasons"),
    )


def _port(raw: Wire) -> Port:
    arn = _text(raw, "certificate_arn")
    return Port(
        _count(raw, "host_port"),
        _count(raw, "container_port"),
        # Some answers repeat the request's case; lists must compare equal whatever the case.
        _text(raw, "protocol").upper(),
        _text(raw, "certificate_name") or arn,
        arn if _text(raw, "certificate_name") else "",
    )


def _health_check(raw: Wire) -> HealthCheck:
    return HealthCheck(
        _text(raw, "target"),
        _count(raw, "interval"),
        _count(raw, "timeout"),
        _count(raw, "healthy_threshold"),
        _count(raw, "unhealthy_threshold"),
    )


def _containers(copy: Wire) -> list[TaskContainer]:
    details = objects(copy.get("details"))
    one_never_ran = any(_NEVER_RAN.search(_text(each, "reason")) for each in details)
    # If no container says that it could not start, the copy's reason applies to each container without an exit code.
    none_ran = not one_never_ran and _NEVER_RAN.search(_text(copy, "reason")) is not None
    return [_container(each, none_ran=none_ran) for each in details]


def _container(raw: Wire, *, none_ran: bool) -> TaskContainer:
    status, reason, code = _text(raw, "last_status"), _text(raw, "reason"), _count(raw, "exit_code")
    # ECS reports no exit code for a container that never ran, and Layer0 writes 0 instead.
    never_ran = _NEVER_RAN.search(reason) is not None or (none_ran and code == 0)
    ended = status == "STOPPED" and not never_ran
    return TaskContainer(_text(raw, "container_name"), status, code if ended else None, reason)


def _text(raw: Wire, name: str) -> str:
    value = raw.get(name)
    return "" if value is None else str(value)


def _texts(raw: Wire, name: str) -> tuple[str, ...]:
    value = raw.get(name)
    return tuple(str(each) for each in value) if isinstance(value, list) else ()


def _count(raw: Wire, name: str) -> int:
    value = raw.get(name)
    return value if isinstance(value, int) else 0


def _time(raw: Wire, name: str) -> datetime:
    try:
        return from_rfc3339(_text(raw, name))
    except (ValueError, OverflowError):
        # Go's zero time, which in some time zones is before year 1.
        return datetime(1, 1, 1, tzinfo=UTC)
