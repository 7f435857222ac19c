"""Rules that a container of a Dockerrun must meet for ECS to accept it. Each refusal names its place.

Source: Amazon ECS API, ContainerDefinition.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ecr_widgets.dockerrun.form import member
from ecr_widgets.dockerrun.kinds import wrong_type
from ecr_widgets.dockerrun.places import check_limits, places
from ecr_widgets.dockerrun.reading import shorten, step
from ecr_widgets.errors import InvalidDockerrun, InvalidReference
from ecr_widgets.model.image_reference import ImageReference

SMALLEST_MEMORY_MIB = 4
_LARGEST_INT = 2**31 - 1
_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)
_HEALTH_CHECK_LIMITS: Mapping[str, tuple[int, int]] = {
    "healthCheck/interval": (5, 300),
    "healthCheck/timeout": (2, 120),
    "healthCheck/retries": (1, 10),
    "healthCheck/startPeriod": (0, 300),
}
_PORT_LIMITS: Mapping[str, tuple[int, int]] = {
    "portMappings/*/containerPort": (1, 65535),
    "portMappings/*/hostPort": (0, 65535),
}


def check_container(
    container: Mapping[str, Any], at: str, volumes: frozenset[str], *, needs_memory: bool
) -> None:
    """Refuse a container that ECS would refuse or misread; `volumes` are the names it may mount.

    The members' types are already checked; `check_image` checks the image.

    Args:
        needs_memory: Whether the container must set its own memory.

    Raises:
        InvalidDockerrun: With the place as JSON pointer.
    """
    key, name = member(container, "name")
    if not name or not _NAME.fullmatch(name):
        raise InvalidDockerrun(
            f"{shorten(name)} is not a container name" if name else "a container without a name",
            pointer=step(at, key),
            hint="1 to 255 letters, digits, - and _",
        )
    _check_memory(container, at, is_needed=needs_memory)
    _check_environment(container, at)
    _check_ports(container, at)
    _check_mounts(container, at, volumes)
    _check_health_check(container, at)
    _check_ulimits(container, at)


def check_image(container: Mapping[str, Any], at: str) -> None:
    """Refuse a container's image that no engine could pull.

    Raises:
        InvalidDockerrun: With the place as JSON pointer.
    """
    key, image = member(container, "image")
    if not image:
        raise InvalidDockerrun("a container without an image", pointer=step(at, key), hint='add "image"')
    try:
        ImageReference.parse(image)
    except InvalidReference as error:
        raise InvalidDockerrun(error.message, pointer=step(at, key), hint=error.hint) from error


def _check_memory(container: Mapping[str, Any], at: str, *, is_needed: bool) -> None:
    limits = [member(container, wanted) for wanted in ("memory", "memoryReservation")]
    if is_needed and all(value is None for _, value in limits):
        raise InvalidDockerrun("a container without memory", pointer=at, hint='add "memory": MiB')
    for key, value in limits:
        if value is not None and not SMALLEST_MEMORY_MIB <= value <= _LARGEST_INT:
            few = value < SMALLEST_MEMORY_MIB
            raise InvalidDockerrun(
                f"less memory than {SMALLEST_MEMORY_MIB} MiB" if few else f"{value} MiB is not a memory size",
                pointer=step(at, key),
                hint="give it in MiB",
            )
    (_, hard), (key, soft) = limits
    if hard is not None and soft is not None and soft > hard:
        raise InvalidDockerrun(
            f"reserves {soft} MiB of at most {hard} MiB",
            pointer=step(at, key),
            hint="reserve no more than memory",
        )
    key, cpu = member(container, "cpu")
    if cpu is not None and not 0 <= cpu <= _LARGEST_INT:
        raise InvalidDockerrun(
            f"{cpu} is not a share of a cpu", pointer=step(at, key), hint="1024 is one cpu"
        )


def _check_environment(container: Mapping[str, Any], at: str) -> None:
    seen: set[str] = set()
    for place, item in places(container, "environment/*", at):
        for part in ("name", "value"):
            part_key, value = member(item, part)
            if not isinstance(value, str) or (part == "name" and not value):
                raise wrong_type(value, "text", step(place, part_key), "quote it")
            if "\0" in value or (part == "name" and "=" in value):
                raise InvalidDockerrun(
                    "a NUL or = that no environment can hold",
                    pointer=step(place, part_key),
                    hint="leave it out",
                )
        name = member(item, "name")[1]
        if name in seen:
            raise InvalidDockerrun(
                f"variable {shorten(name)} is set twice", pointer=step(place, "name"), hint="keep one of them"
            )
        seen.add(name)


def _check_ports(container: Mapping[str, Any], at: str) -> None:
    for path, (smallest, largest) in _PORT_LIMITS.items():
        for place, port in places(container, path, at):
            if not smallest <= port <= largest:
                raise InvalidDockerrun(
                    f"{port} is not a port", pointer=place, hint=f"{smallest} to {largest}"
                )


def _check_mounts(container: Mapping[str, Any], at: str, volumes: frozenset[str]) -> None:
    for place, source in places(container, "mountPoints/*/sourceVolume", at):
        if source not in volumes:
            raise InvalidDockerrun(
                f"no volume {shorten(source)}",
                pointer=place,
                hint=f"volumes has: {shorten(', '.join(sorted(volumes)))}"
                if volumes
                else "list it under volumes",
            )


def _check_health_check(container: Mapping[str, Any], at: str) -> None:
    for place, command in places(container, "healthCheck/command", at):
        if command[0] not in {"CMD", "CMD-SHELL", "NONE"} or (len(command) == 1 and command[0] != "NONE"):
            raise InvalidDockerrun(
                "a health check's command begins with CMD or CMD-SHELL, followed by what to run",
                pointer=place,
                hint='such as ["CMD-SHELL", "wget -q -O - http://127.0.0.1/ || exit 1"]',
            )
    check_limits(container, _HEALTH_CHECK_LIMITS, at, "ECS")


def _check_ulimits(container: Mapping[str, Any], at: str) -> None:
    for place, limit in places(container, "ulimits/*", at):
        (soft_key, soft), (_, hard) = member(limit, "softLimit"), member(limit, "hardLimit")
        # -1 means no limit.
        if hard != -1 and (soft == -1 or soft > hard):
            raise InvalidDockerrun(
                f"a soft limit of {soft} is above the hard limit of {hard}",
                pointer=step(place, soft_key),
                hint="raise hardLimit or lower softLimit",
            )
