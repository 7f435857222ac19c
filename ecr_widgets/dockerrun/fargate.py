"""What Fargate requires of a task definition. Each refusal names its place.

Source: Amazon ECS API, RegisterTaskDefinition and ContainerDefinition: what is "not supported" on Fargate, and the table of
cpu and memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ecr_widgets.dockerrun.places import check_limits, check_words, places, refuse
from ecr_widgets.dockerrun.reading import step
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
_CONTAINER = "containerDefinitions/*"
_NOT_THERE = (
    *("placementConstraints", "ipcMode", "inferenceAccelerators"),
    *(f"volumes/*/{name}" for name in ("host/sourcePath", "dockerVolumeConfiguration")),
    "volumes/*/fsxWindowsFileServerVolumeConfiguration",
    *(f"{_CONTAINER}/{name}" for name in ("privileged", "dockerSecurityOptions")),
    *(
        f"{_CONTAINER}/linuxParameters/{name}"
        for name in ("devices", "sharedMemorySize", "maxSwap", "swappiness")
    ),
)
_LIMITS = {
    "ephemeralStorage/sizeInGiB": (21, 200),
    f"{_CONTAINER}/startTimeout": (2, 120),
    f"{_CONTAINER}/stopTimeout": (2, 120),
}
_WORDS = {
    "networkMode": ("awsvpc",),
    "pidMode": ("task",),
    f"{_CONTAINER}/linuxParameters/capabilities/add/*": ("SYS_PTRACE",),
    f"{_CONTAINER}/logConfiguration/logDriver": ("awslogs", "splunk", "awsfirelens"),
}


def is_fargate(document: Mapping[str, Any]) -> bool:
    """Whether ECS checks the definition for Fargate."""
    return "FARGATE" in document.get("requiresCompatibilities", ())


def check_fargate(document: Mapping[str, Any], root: str) -> None:
    """Refuse what Fargate could not run. The members' types are already checked, and their names are spelled as in ECS.

    Raises:
        InvalidDockerrun: With the place as JSON pointer.
    """
    for path, words in _WORDS.items():
        check_words(document, path, words, root, "Fargate")
    if not document.get("networkMode"):
        raise InvalidDockerrun(
            "Fargate has network mode awsvpc only", pointer=root, hint='add "networkMode": "awsvpc"'
        )
    _check_size(document, root)
    refuse(document, _NOT_THERE, root, "Fargate", "remove it, or run the task on EC2")
    check_limits(document, _LIMITS, root, "Fargate")
    for at, requirement in places(document, f"{_CONTAINER}/resourceRequirements/*", root):
        if requirement["type"] == "GPU":
            raise InvalidDockerrun("Fargate has no GPU", pointer=at, hint="run the task on EC2")


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
