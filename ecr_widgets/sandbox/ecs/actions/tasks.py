"""Tasks: those of RunTask, and those of services."""

from __future__ import annotations

import json
import time

from ecr_widgets.sandbox.ecs.actions.services import check_launch, launch_settings
from ecr_widgets.sandbox.ecs.entities import Cluster, Definition, Service, Task, Token, Wire
from ecr_widgets.sandbox.ecs.faults import EcsError, invalid, unsupported
from ecr_widgets.sandbox.ecs.names import short
from ecr_widgets.sandbox.ecs.paging import page
from ecr_widgets.sandbox.ecs.rollout import lacks
from ecr_widgets.sandbox.ecs.shapes import task_shape
from ecr_widgets.sandbox.ecs.world import World, tags_of, task_id
from ecr_widgets.sandbox.workloads.records import Copy

_MOST = 10
_MOST_DESCRIBED = 100
_LONGEST_STARTED_BY = 128
"""Any characters are accepted: public tools send spaces, which the API reference does not allow."""
_TOKEN_LIFE_S = 24 * 3600.0
_REPORTED_S = 3600.0
"""How long stopped tasks are reported: an hour."""


def run(world: World, given: Wire) -> Wire:
    """RunTask: what cannot be placed is a failure, not an error."""
    cluster = world.cluster(given.get("cluster"))
    request = {name: value for name, value in given.items() if name != "clientToken"}
    token = _token(world, cluster, given)
    if token is not None:
        return _repeat(world, cluster, token, request)
    definition = world.usable_definition(given["taskDefinition"])
    _check_run(given, definition)
    settings = launch_settings(cluster, given) | {
        name: given[name]
        for name in ("networkConfiguration", "overrides", "enableExecuteCommand")
        if name in given
    }
    check_launch(settings, definition)
    tags = (definition.tags if given.get("propagateTags") == "TASK_DEFINITION" else {}) | tags_of(given)
    lacking = lacks(world, settings, definition.entity_id)
    failures, tasks = [], []
    for _ in range(given.get("count", 1)):
        if lacking:
            failures.append(
                {
                    "arn": world.names.instance(cluster.name, world.instance_id),
                    "reason": f"RESOURCE:{lacking}",
                }
            )
            continue
        copy = world.scheduler.new_copy(definition.entity_id)
        task = Task(
            task_id=copy.copy_id,
            copy=copy,
            cluster=cluster.name,
            given=settings,
            group=given.get("group") or f"family:{definition.family}",
            started_by=given.get("startedBy", ""),
            tags=tags,
        )
        tasks.append(task)
    if "clientToken" in given:
        kept = Token(
            f"{cluster.name}/{given['clientToken']}", request, [each.task_id for each in tasks], failures
        )
        world.store.save(kept)
    world.store.save(*tasks)
    answer = {"tasks": [task_shape(world, each, each.copy, ["TAGS"]) for each in tasks], "failures": failures}
    for each in tasks:
        world.scheduler.launch_task(each)
    world.forget_old_tasks()
    return answer


def stop(world: World, given: Wire) -> Wire:
    """StopTask: asks it to end, then kills it; a service starts another one."""
    cluster = world.cluster(given.get("cluster"))
    pair = world.find_copy(cluster, given["task"])
    if pair is None or not _is_reported(pair[1]):
        raise invalid("The referenced task was not found.")
    owner, copy = pair
    if not copy.stopping and not copy.stopped_at_s:
        world.scheduler.stop_later(
            owner, [copy], given.get("reason") or "Task stopped by user", "UserInitiated"
        )
        copy.reason, copy.stop_code = given.get("reason") or "Task stopped by user", "UserInitiated"
        copy.stopping_at_s = time.time()
        world.store.save_changes(owner)
    return {"task": task_shape(world, owner, copy, [])}


def list_all(world: World, given: Wire) -> Wire:
    """ListTasks."""
    cluster = world.cluster(given.get("cluster"))
    filters = {"serviceName", "family", "containerInstance", "launchType"} & given.keys()
    if "startedBy" in given and filters:
        raise invalid("When startedBy is given, no other filter may be.")
    if "serviceName" in given:
        world.service(cluster, given["serviceName"])
    listed = [
        world.names.task(cluster.name, task_id(copy))
        for owner, copy in world.copies(cluster)
        if _is_reported(copy) and _matches(world, owner, copy, given)
    ]
    return page(given, "taskArns", listed)


def describe(world: World, given: Wire) -> Wire:
    """DescribeTasks: unknown ones are failures."""
    cluster = world.cluster(given.get("cluster"), active=False)
    wanted = given["tasks"]
    if not 1 <= len(wanted) <= _MOST_DESCRIBED:
        raise invalid("Tasks cannot be empty." if not wanted else "Too many tasks: 100 at the most.")
    shown, failures = [], []
    for name in wanted:
        pair = world.find_copy(cluster, name)
        if pair is None or not _is_reported(pair[1]):
            missing = world.names.task(cluster.name, short(name))
            failures.append({"arn": missing, "reason": "MISSING"})
        else:
            shown.append(task_shape(world, *pair, given.get("include") or []))
    return {"tasks": shown, "failures": failures}


def execute_command(world: World, given: Wire) -> Wire:
    """ExecuteCommand: never possible here."""
    cluster = world.cluster(given.get("cluster"))
    if world.find_copy(cluster, given["task"]) is None:
        raise invalid("The referenced task was not found.")
    raise invalid(
        "The execute command failed because execute command was not enabled when the task was run or the execute command"
        " agent isn't running. Wait and try again or run a new task with execute command enabled and try again."
    )


def _check_run(given: Wire, definition: Definition) -> None:
    if not 1 <= given.get("count", 1) <= _MOST:
        raise invalid(f"count must be between 1 and {_MOST}.")
    if len(given.get("startedBy", "")) > _LONGEST_STARTED_BY:
        raise invalid(f"startedBy must have {_LONGEST_STARTED_BY} characters at the most.")
    if given.get("propagateTags") not in (None, "TASK_DEFINITION"):
        raise invalid("propagateTags must be TASK_DEFINITION.")
    if given.get("volumeConfigurations"):
        raise unsupported("EBS volumes")
    overrides = given.get("overrides") or {}
    if len(json.dumps(overrides)) > 8192:
        raise invalid("Container Overrides length must be at most 8192.")
    names = [each["name"] for each in definition.given["containerDefinitions"]]
    for each in overrides.get("containerOverrides") or ():
        if each.get("name") not in names:
            raise invalid(
                f"Override for container named {each.get('name')} is not a container in the TaskDefinition."
            )


def _token(world: World, cluster: Cluster, given: Wire) -> Token | None:
    if len(given.get("clientToken", "")) > 64:
        raise invalid("clientToken must have 64 characters at the most.")
    for each in [one for one in world.store.tokens.values() if time.time() - one.at_s > _TOKEN_LIFE_S]:
        world.store.remove(each)
    return world.store.tokens.get(f"{cluster.name}/{given.get('clientToken', '')}")


def _repeat(world: World, cluster: Cluster, token: Token, request: Wire) -> Wire:
    tasks = [world.store.tasks[each] for each in token.tasks if each in world.store.tasks]
    if token.request != request:
        raise EcsError(
            "ConflictException",
            "The clientToken was used before with other parameters.",
            resourceIds=[world.names.task(cluster.name, task_id(each.copy)) for each in tasks],
        )
    return {
        "tasks": [task_shape(world, each, each.copy, ["TAGS"]) for each in tasks],
        "failures": token.failures,
    }


def _is_reported(copy: Copy) -> bool:
    return not copy.stopped_at_s or time.time() - copy.stopped_at_s < _REPORTED_S


def _matches(world: World, owner: Service | Task, copy: Copy, given: Wire) -> bool:
    started_by = owner.started_by if isinstance(owner, Task) else copy.deployment_id
    desired = "STOPPED" if copy.stopping or copy.stopped_at_s else "RUNNING"
    launch_type = owner.given.get("launchType", "FARGATE")
    instance = short(given.get("containerInstance", ""))
    return (
        given.get("desiredStatus", "RUNNING") == desired
        and given.get("startedBy") in (None, started_by)
        and given.get("family") in (None, copy.definition_id.partition(":")[0])
        and given.get("launchType") in (None, launch_type)
        and ("serviceName" not in given or owner.group == f"service:{short(given['serviceName'])}")
        and (not instance or (instance == world.instance_id and launch_type != "FARGATE"))
    )
