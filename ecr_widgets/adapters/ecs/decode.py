"""ECS's JSON as our values. An answer that does not have ECS's form raises DeployTargetUnavailable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import wraps
from typing import ParamSpec, TypeVar

from ecr_widgets.adapters.ecs.wire import Wire
from ecr_widgets.errors import DeployTargetUnavailable, EcrWidgetsError
from ecr_widgets.model.ecs_names import EcsAddress
from ecr_widgets.model.services import Copy, Deployment, Service, Task, TaskContainer

P = ParamSpec("P")
T = TypeVar("T")

_NOT_YET_RUNNING = frozenset(("PROVISIONING", "PENDING", "ACTIVATING"))
_ENDED = frozenset(("STOPPED", "DELETED"))
_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


def decoded(decode: Callable[P, T]) -> Callable[P, T]:
    """Make a function that reads an answer raise our own error if the answer does not have ECS's form."""

    @wraps(decode)
    def read(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return decode(*args, **kwargs)
        except (AttributeError, LookupError, OSError, OverflowError, TypeError, ValueError) as error:
            if isinstance(error, EcrWidgetsError):
                raise
            raise DeployTargetUnavailable(
                f"an answer does not have ECS's form: {type(error).__name__} {error}",
                hint="check AWS_ENDPOINT_URL, and any proxy on the way",
            ) from error

    return read


@decoded
def objects(answer: Wire, name: str) -> list[Wire]:
    """A list of objects in an answer; empty if it is missing."""
    return _all(answer, name, dict)


@decoded
def texts(answer: Wire, name: str) -> list[str]:
    """A list of texts in an answer; empty if it is missing."""
    return _all(answer, name, str)


def _all(answer: Wire, name: str, kind: type[T]) -> list[T]:
    found = answer.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(each, kind) for each in found):
        raise TypeError(f"{name} is not a list of {kind.__name__}")
    return found


@decoded
def account_of(named: Sequence[Wire]) -> str:
    """The account in a cluster's ARN, whether the cluster exists or is among the failures."""
    return str(named[0].get("clusterArn") or named[0]["arn"]).split(":")[4]


def last_part(arn: str) -> str:
    """The part of an ARN after its last slash, such as `family:revision` or a name."""
    return arn.rpartition("/")[2]


def moment(value: object) -> datetime | None:
    """A time in UTC; None if there is none."""
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else None


def failure_text(failure: Wire) -> str:
    """The text of one of the failures that an answer with status 200 may hold."""
    where = str(failure.get("arn") or "").rpartition(":")[2]
    parts = (str(failure.get("reason") or "no reason is given"), str(failure.get("detail") or ""))
    return " ".join(filter(None, parts)) + (f" ({where})" if where else "")


@decoded
def service(raw: Wire, address: EcsAddress) -> Service:
    """A service as DescribeServices reports it."""
    cluster = last_part(raw["clusterArn"])
    return Service(
        address.service(cluster, raw["serviceName"]),
        raw["serviceName"],
        address.cluster(cluster),
        int(raw["desiredCount"]),
        int(raw["runningCount"]),
        int(raw["pendingCount"]),
        _deployments(raw),
        refused=_refused(raw),
    )


def _refused(raw: Wire) -> str:
    if raw.get("status") == "DRAINING":
        return "it is being deleted (DRAINING)"
    controller = (raw.get("deploymentController") or {}).get("type", "ECS")
    if controller == "ECS":
        return ""
    whose = "CodeDeploy's" if controller == "CODE_DEPLOY" else "not ECS's own"
    return f"its deployments are {whose} (deployment controller {controller})"


def _deployments(raw: Wire) -> tuple[Deployment, ...]:
    """Deployments, newest first, each with the scheduler's events until the next one began."""
    found = [_deployment(each) for each in objects(raw, "deployments") or objects(raw, "taskSets")]
    events = [
        (moment(each.get("createdAt")) or _BEGINNING, str(each.get("message", "")))
        for each in reversed(objects(raw, "events"))
    ]
    sentences = []
    for each in found:
        ends = min((d.created_at for d in found if d.created_at > each.created_at), default=None)
        sentences.append(
            replace(
                each,
                events=tuple(
                    text for at, text in events if at >= each.created_at and (ends is None or at < ends)
                ),
            )
        )
    return tuple(sentences)


def _deployment(raw: Wire) -> Deployment:
    desired = raw["desiredCount"] if "desiredCount" in raw else raw["computedDesiredCount"]
    return Deployment(
        str(raw["id"]),
        last_part(raw["taskDefinition"]),
        raw["status"],
        int(desired),
        int(raw["runningCount"]),
        int(raw["pendingCount"]),
        moment(raw.get("createdAt")) or _BEGINNING,
        state=raw.get("rolloutState") or "",
        reason=raw.get("rolloutStateReason") or "",
        failed_count=raw.get("failedTasks") or 0,
    )


@decoded
def copy(raw: Wire, address: EcsAddress, definition: Wire) -> Copy:
    """A task of a service as DescribeTasks reports it."""
    health = str(raw.get("healthStatus") or "")
    return Copy(
        task_id(raw, address),
        str(raw.get("startedBy") or ""),
        last_part(raw["taskDefinitionArn"]),
        raw["lastStatus"],
        "" if health == "UNKNOWN" else health,
        moment(raw.get("startedAt")),
        _containers(raw, definition),
        reason=str(raw.get("stoppedReason") or ""),
    )


@decoded
def task(raw: Wire, address: EcsAddress, definition: Wire) -> Task:
    """A standalone task as DescribeTasks reports it."""
    status = raw["lastStatus"]
    code, reason = str(raw.get("stopCode") or ""), str(raw.get("stoppedReason") or "")
    return Task(
        task_id(raw, address),
        task_name(raw),
        address.cluster(last_part(raw["clusterArn"])),
        last_part(raw["taskDefinitionArn"]),
        int(status not in _NOT_YET_RUNNING | _ENDED),
        int(status in _NOT_YET_RUNNING),
        f"{reason} ({code})" if reason and code else reason or code,
        _containers(raw, definition),
        code not in ("", "EssentialContainerExited"),
    )


@decoded
def task_id(raw: Wire, address: EcsAddress) -> str:
    """A task's long ARN, even if ECS reports the short one."""
    return address.task(last_part(raw["clusterArn"]), last_part(raw["taskArn"]))


@decoded
def task_name(raw: Wire) -> str:
    """The name under which a standalone task was started."""
    return str(raw.get("group") or "").removeprefix("family:")


@decoded
def overrides(raw: Wire) -> dict[str, dict[str, str]]:
    """Environment variables given to a task, by container name; containers that were given none are left out."""
    listed = objects(raw.get("overrides") or {}, "containerOverrides")
    values = {
        each["name"]: {pair["name"]: pair["value"] for pair in objects(each, "environment")}
        for each in listed
    }
    return {name: given for name, given in values.items() if given}


def _containers(raw: Wire, definition: Wire) -> tuple[TaskContainer, ...]:
    essential = {each["name"]: each.get("essential", True) for each in container_definitions(definition)}
    has_ended = raw["lastStatus"] in _ENDED
    return tuple(
        TaskContainer(
            each["name"],
            # ECS may report a container that never ran as pending, even after its task has ended.
            "STOPPED" if has_ended else str(each.get("lastStatus") or ""),
            each.get("exitCode"),
            str(each.get("reason") or ""),
            each.get("imageDigest") or None,
            essential.get(each["name"], True),
        )
        for each in objects(raw, "containers")
    )


@decoded
def container_definitions(definition: Wire) -> list[Wire]:
    """The containers of a task definition."""
    return objects(definition, "containerDefinitions")


@decoded
def environment_pairs(values: Mapping[str, str]) -> list[Wire]:
    """Environment variables in ECS's form."""
    return [{"name": name, "value": value} for name, value in values.items()]
