"""What Fargate wants of a task definition. Each refusal names its place.

Source: Amazon ECS API, RegisterTaskDefinition and ContainerDefinition: what is "not supported" on Fargate, and the table of
cpu and memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ecr_widgets.dockerrun.reading import shorten, step
from ecr_widgets.dockerrun.task_size import cpu_units, memory_mib
from ecr_widgets.errors import InvalidDockerrun

_GIB = 1024
MEMORY_BY_CPU: Mapping[int, Sequence[int]] = {
    256: (512, 1 * _GIB, 2 * _GIB),
    512: range(1 * _GIB, 4 * _GIB + 1, _GIB),
    1024: range(2 * _GIB, 8 * _GIB + 1, _GIB),
    2048: range(4 * _GIB, 16 * _GIB + 1, _GIB),
    4096: range(8 * _GIB, 30 * _GIB + 1, _GIB),
    8192: range(16 * _GIB, 60 * _GIB + 1, 4 * _GIB),
    16384: range(32 * _GIB, 120 * _GIB + 1, 8 * _GIB),
}
"""Sizes of a task's memory in MiB by its CPU units."""
_LOG_DRIVERS = ("awslogs", "splunk", "awsfirelens")
_LONGEST_STOP_S = 120
_NOT_IN_TASK = ("placementConstraints", "ipcMode", "inferenceAccelerators")
_NOT_IN_CONTAINER = ("privileged", "dockerSecurityOptions")
_NOT_IN_LINUX = ("devices", "sharedMemorySize", "maxSwap", "swappiness")
_NOT_IN_VOLUME = ("dockerVolumeConfiguration", "fsxWindowsFileServerVolumeConfiguration")


def is_fargate(document: Mapping[str, Any]) -> bool:
    """Whether ECS checks the definition for Fargate."""
    return "FARGATE" in document.get("requiresCompatibilities", ())


def check_fargate(document: Mapping[str, Any], root: str) -> None:
    """Refuse what Fargate could not run; members are of their types and spelled as ECS does.

    Raises:
        InvalidDockerrun: With the place as JSON pointer.
    """
    if document.get("networkMode") != "awsvpc":
        at = step(root, "networkMode") if "networkMode" in document else root
        raise InvalidDockerrun(
            "Fargate has network mode awsvpc only", pointer=at, hint='add "networkMode": "awsvpc"'
        )
    _check_size(document, root)
    _refuse(document, _NOT_IN_TASK, root)
    if document.get("pidMode") == "host":
        raise InvalidDockerrun(
            "Fargate shares no machine's processes", pointer=step(root, "pidMode"), hint='use "task"'
        )
    for number, volume in enumerate(document.get("volumes", ())):
        at = step(step(root, "volumes"), number)
        _refuse(volume, _NOT_IN_VOLUME, at)
        _refuse(volume.get("host", {}), ("sourcePath",), step(at, "host"))
    for number, container in enumerate(document["containerDefinitions"]):
        _check_container(container, step(step(root, "containerDefinitions"), number))


def _check_size(document: Mapping[str, Any], root: str) -> None:
    cpu, memory = (
        read(document.get(name, "")) for name, read in (("cpu", cpu_units), ("memory", memory_mib))
    )
    sizes = MEMORY_BY_CPU.get(cpu or 0)
    if sizes is None:
        raise InvalidDockerrun(
            f"Fargate has no task of {cpu} CPU units" if cpu else "Fargate wants the task's cpu",
            pointer=step(root, "cpu") if cpu else root,
            hint=f'"cpu" is one of: {", ".join(map(str, MEMORY_BY_CPU))}',
        )
    if memory not in sizes:
        listed = (
            f"{sizes.start} to {sizes[-1]} in steps of {sizes.step}"
            if isinstance(sizes, range)
            else f"one of: {', '.join(map(str, sizes))}"
        )
        raise InvalidDockerrun(
            f"Fargate has no task of {cpu} CPU units and {memory} MiB"
            if memory
            else "Fargate wants the task's memory",
            pointer=step(root, "memory") if memory else root,
            hint=f'with "cpu": "{cpu}", "memory" is {listed}',
        )


def _check_container(container: Mapping[str, Any], at: str) -> None:
    _refuse(container, _NOT_IN_CONTAINER, at)
    linux = container.get("linuxParameters", {})
    _refuse(linux, _NOT_IN_LINUX, step(at, "linuxParameters"))
    for number, added in enumerate(linux.get("capabilities", {}).get("add", ())):
        if added != "SYS_PTRACE":
            raise InvalidDockerrun(
                f"Fargate adds no capability {shorten(added)}",
                pointer=f"{at}/linuxParameters/capabilities/add/{number}",
                hint="SYS_PTRACE is the only one",
            )
    for number, wanted in enumerate(container.get("resourceRequirements", ())):
        if wanted["type"] == "GPU":
            raise InvalidDockerrun(
                "Fargate has no GPU", pointer=f"{at}/resourceRequirements/{number}", hint="run it on EC2"
            )
    for wanted in ("startTimeout", "stopTimeout"):
        if not 2 <= container.get(wanted, 2) <= _LONGEST_STOP_S:
            raise InvalidDockerrun(
                f"Fargate does not take {container[wanted]} here",
                pointer=step(at, wanted),
                hint=f"2 to {_LONGEST_STOP_S} seconds",
            )
    driver = container.get("logConfiguration", {}).get("logDriver", "awslogs")
    if driver not in _LOG_DRIVERS:
        raise InvalidDockerrun(
            f"Fargate has no log driver {shorten(driver)}",
            pointer=f"{at}/logConfiguration/logDriver",
            hint=f"use one of: {', '.join(_LOG_DRIVERS)}",
        )


def _refuse(value: Mapping[str, Any], names: Sequence[str], at: str) -> None:
    for name in names:
        if value.get(name):
            raise InvalidDockerrun(
                f"Fargate has no {name}", pointer=step(at, name), hint="remove it, or run the task on EC2"
            )
