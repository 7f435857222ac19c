"""Task definitions being registered: what ECS refuses, and what it fills in.

Source: Amazon ECS API, RegisterTaskDefinition, ContainerDefinition, PortMapping, HealthCheck.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from ecr_widgets.sandbox.ecs.entities import Wire
from ecr_widgets.sandbox.ecs.faults import client_error
from ecr_widgets.sandbox.workloads.task_definition import ContainerDefinition, Network, TaskDefinition

OUTPUT_ONLY = (
    *("taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities", "registeredAt"),
    *("registeredBy", "deregisteredAt", "deleteRequestedAt"),
)
_MOST_CONTAINERS = 10
_FAMILY = re.compile(r"[A-Za-z0-9_-]{1,255}")
_GIB = 1024
_FARGATE_MEMORY_MIB = {
    256: [512, 1024, 2048],
    512: range(1 * _GIB, 4 * _GIB + 1, _GIB),
    1024: range(2 * _GIB, 8 * _GIB + 1, _GIB),
    2048: range(4 * _GIB, 16 * _GIB + 1, _GIB),
    4096: range(8 * _GIB, 30 * _GIB + 1, _GIB),
    8192: range(16 * _GIB, 60 * _GIB + 1, 4 * _GIB),
    16384: range(32 * _GIB, 120 * _GIB + 1, 8 * _GIB),
}
"""Memory sizes allowed for each CPU size on Fargate."""
_LISTS = ("environment", "mountPoints", "volumesFrom", "portMappings", "systemControls")
_SHARED_NETWORKS = ("awsvpc", "host")


def checked(given: Mapping[str, Any]) -> Wire:
    """The definition as ECS stores it: everything that was given, plus the defaults.

    Raises:
        EcsError: ECS would refuse it.
    """
    for name in OUTPUT_ONLY:
        if name in given:
            raise client_error(f"{name} is set by Amazon ECS and cannot be registered; remove it.")
    if not _FAMILY.fullmatch(given.get("family") or ""):
        raise client_error("Family contains invalid characters or is longer than 255 characters.")
    stored = copy.deepcopy({key: value for key, value in given.items() if key != "tags"})
    for name, unit in (("cpu", "vcpu"), ("memory", "gb")):
        if name in stored:
            stored[name] = _size(str(stored[name]), name, unit)
    stored.setdefault("networkMode", "awsvpc" if "FARGATE" in _required(stored) else "bridge")
    for name in ("volumes", "placementConstraints"):
        stored.setdefault(name, [])
    _check_containers(stored)
    for each in stored["containerDefinitions"]:
        _fill(each, stored["networkMode"])
    if "FARGATE" in _required(stored):
        _check_fargate(stored)
    stored["compatibilities"] = _compatibilities(stored)
    return stored


def runnable(given: Mapping[str, Any]) -> TaskDefinition:
    """The part of a stored definition that is acted on; containers without a limit of their own get the task's."""
    network = {"awsvpc": Network.SHARED, "none": Network.NONE}.get(given["networkMode"], Network.BRIDGE)
    task_memory = int(given["memory"]) if given.get("memory") else None
    containers = []
    for each in given["containerDefinitions"]:
        known = msgspec.convert(each, ContainerDefinition)
        if not known.memory and task_memory:
            known = replace(known, memory=task_memory)
        containers.append(known)
    return TaskDefinition(containers, [str(each.get("name")) for each in given["volumes"]], network)


def needed(given: Mapping[str, Any]) -> tuple[int, int]:
    """CPU units and MiB that a task with this definition reserves."""
    containers = given["containerDefinitions"]
    cpu = int(given.get("cpu") or 0) or sum(int(each.get("cpu") or 0) for each in containers)
    memory = int(given.get("memory") or 0) or sum(
        int(each.get("memoryReservation") or each.get("memory") or 0) for each in containers
    )
    return cpu, memory


def _required(given: Mapping[str, Any]) -> list[str]:
    return list(given.get("requiresCompatibilities") or ())


def _size(text: str, name: str, unit: str) -> str:
    match = re.fullmatch(rf"([\d.]+)\s*{unit}", text.strip(), re.IGNORECASE)
    try:
        return str(int(float(match[1]) * 1024)) if match else str(int(text))
    except ValueError as error:
        raise client_error(f"Invalid '{name}' setting for task: {text}") from error


def _check_containers(stored: Mapping[str, Any]) -> None:
    containers = stored["containerDefinitions"]
    if not containers:
        raise client_error("Container list cannot be empty.")
    if len(containers) > _MOST_CONTAINERS:
        raise client_error(
            f"Too many container definitions. A task definition has {_MOST_CONTAINERS} at the most."
        )
    names = [each.get("name") for each in containers]
    for each in containers:
        _check_container(each, names, stored)
    if not any(each.get("essential", True) for each in containers):
        raise client_error("A task definition must have at least one essential container.")
    _check_circle(containers)


def _check_container(each: Mapping[str, Any], names: list[Any], stored: Mapping[str, Any]) -> None:
    name, memory, soft = each.get("name"), each.get("memory"), each.get("memoryReservation")
    if not name:
        raise client_error("Container.name should not be null or empty.")
    if not each.get("image"):
        raise client_error("Container.image should not be null or empty.")
    if names.count(name) > 1:
        raise client_error(f"Container names must be unique, '{name}' is given more than once.")
    if not memory and not soft and not stored.get("memory"):
        raise client_error(
            f"Invalid setting for container '{name}'."
            " At least one of 'memory' or 'memoryReservation' must be specified."
        )
    if memory and soft and memory < soft:
        raise client_error(
            f"Invalid setting for container '{name}'."
            " The hard limit must be greater than or equal to the soft limit."
        )
    _check_neighbours(each, names, stored)
    _check_ports(each, stored["networkMode"])
    if each.get("secrets") and not stored.get("executionRoleArn"):
        raise client_error(
            "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'."
        )
    log = each.get("logConfiguration") or {}
    if log.get("logDriver") == "awslogs" and "awslogs-group" not in (log.get("options") or {}):
        raise client_error("Log driver awslogs requires options: awslogs-group")


def _check_neighbours(each: Mapping[str, Any], names: list[Any], stored: Mapping[str, Any]) -> None:
    name = each["name"]
    if each.get("links") and stored["networkMode"] != "bridge":
        raise client_error("Links are not supported when networkMode is not 'bridge'.")
    for dependency in each.get("dependsOn") or ():
        _check_dependency(name, dependency, stored["containerDefinitions"])
    for link in each.get("links") or ():
        if link.partition(":")[0] not in names:
            raise client_error(f"Container '{name}' links to a container that does not exist: {link}")


def _check_ports(each: Mapping[str, Any], network: str) -> None:
    for mapping in each.get("portMappings") or ():
        if network in _SHARED_NETWORKS and mapping.get("hostPort") not in (
            None,
            0,
            mapping.get("containerPort"),
        ):
            raise client_error(
                f"When networkMode={network}, the host ports and container ports in port mappings must match."
            )


def _check_dependency(name: str, dependency: Mapping[str, Any], containers: list[Wire]) -> None:
    other = next((each for each in containers if each.get("name") == dependency.get("containerName")), None)
    condition = dependency.get("condition")
    if other is None or other.get("name") == name:
        raise client_error(
            f"Container '{name}' depends on a container that does not exist: {dependency.get('containerName')}"
        )
    if condition in ("COMPLETE", "SUCCESS") and other.get("essential", True):
        raise client_error(
            f"The dependency condition {condition} cannot be used on the essential container '{other['name']}'."
        )
    if condition == "HEALTHY" and not other.get("healthCheck"):
        raise client_error(
            f"The dependency condition HEALTHY needs a health check in the container '{other['name']}'."
        )


def _check_circle(containers: list[Wire]) -> None:
    waits = {
        each["name"]: {dependency["containerName"] for dependency in each.get("dependsOn") or ()}
        for each in containers
    }
    while free := [name for name, others in waits.items() if not others & waits.keys()]:
        for name in free:
            del waits[name]
    if waits:
        raise client_error("Cyclic dependency between containers.")


def _fill(each: Wire, network: str) -> None:
    each.setdefault("cpu", 0)
    each.setdefault("essential", True)
    for name in _LISTS:
        if each.get(name) is None:
            each[name] = []
    for mapping in each["portMappings"]:
        mapping.setdefault("protocol", "tcp")
        if network in _SHARED_NETWORKS:
            mapping["hostPort"] = mapping.get("containerPort")
        else:
            mapping.setdefault("hostPort", 0)
    if each.get("healthCheck"):
        each["healthCheck"] = {"interval": 30, "timeout": 5, "retries": 3} | each["healthCheck"]


def _check_fargate(stored: Mapping[str, Any]) -> None:
    if stored["networkMode"] != "awsvpc":
        raise client_error("Fargate only supports network mode 'awsvpc'.")
    for name in ("cpu", "memory"):
        if not stored.get(name):
            raise client_error(f"Fargate requires that '{name}' be defined at the task level.")
    cpu, memory = int(stored["cpu"]), int(stored["memory"])
    if memory not in _FARGATE_MEMORY_MIB.get(cpu, ()):
        raise client_error(
            f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory."
            " See the Amazon ECS documentation for the valid values."
        )
    if not stored.get("executionRoleArn"):
        for each in stored["containerDefinitions"]:
            if ".dkr.ecr." in each["image"]:
                raise client_error(
                    "Fargate requires task definition to have execution role ARN to support ECR images."
                )
            if (each.get("logConfiguration") or {}).get("logDriver") == "awslogs":
                raise client_error(
                    "Fargate requires task definition to have execution role ARN to support log driver awslogs."
                )


def _compatibilities(stored: Mapping[str, Any]) -> list[str]:
    if stored["networkMode"] != "awsvpc":
        return ["EXTERNAL", "EC2"]
    fits = int(stored.get("memory") or 0) in _FARGATE_MEMORY_MIB.get(int(stored.get("cpu") or 0), ())
    return ["EC2", "FARGATE"] if fits else ["EC2"]
