"""What one container of a Dockerrun must be so that ECS takes it. Each refusal names its place.

Source: Amazon ECS API, ContainerDefinition.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ecr_widgets.errors import InvalidDockerrun, InvalidReference
from ecr_widgets.model.dockerrun_form import member
from ecr_widgets.model.dockerrun_reading import kind_of, shorten, step
from ecr_widgets.model.image_reference import ImageReference

SMALLEST_MEMORY_MIB = 4
_LARGEST_INT = 2**31 - 1
_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)
_WORDS: Mapping[type, str] = {
    str: "text",
    int: "a whole number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}
_CONTAINER_TYPES: Mapping[str, type] = {
    **dict.fromkeys(("name", "image", "user", "workingDirectory", "hostname"), str),
    **dict.fromkeys(("memory", "memoryReservation", "cpu"), int),
    **dict.fromkeys(("essential", "privileged", "readonlyRootFilesystem"), bool),
    **dict.fromkeys(("disableNetworking", "interactive", "pseudoTerminal"), bool),
    **dict.fromkeys(("environment", "portMappings", "mountPoints", "volumesFrom", "secrets"), list),
    **dict.fromkeys(("command", "entryPoint", "links"), list),
    **dict.fromkeys(("logConfiguration", "healthCheck", "linuxParameters", "dockerLabels"), dict),
}


def check_container(container: Any, at: str, volumes: frozenset[str]) -> None:
    """Refuse a container that ECS would refuse or misread; `volumes` are the names it may mount.

    Raises:
        InvalidDockerrun: With the place as JSON pointer.
    """
    check_object(container, at, _CONTAINER_TYPES)
    key, name = member(container, "name")
    if not name or not _NAME.fullmatch(name):
        raise InvalidDockerrun(
            f"{shorten(name)} is not a container name" if name else "a container without a name",
            pointer=step(at, key),
            hint="1 to 255 letters, digits, - and _",
        )
    key, image = member(container, "image")
    if not image:
        raise InvalidDockerrun("a container without an image", pointer=step(at, key), hint='add "image"')
    try:
        ImageReference.parse(image)
    except InvalidReference as error:
        raise InvalidDockerrun(error.message, pointer=step(at, key), hint=error.hint) from error
    _check_memory(container, at)
    for wanted in ("command", "entryPoint", "links"):
        key, texts = member(container, wanted)
        for number, text in enumerate(texts or ()):
            if not isinstance(text, str):
                raise _wrong_type(text, str, step(step(at, key), number))
    _check_environment(container, at)
    _check_ports(container, at)
    key, mounts = member(container, "mountPoints")
    for number, mount in enumerate(mounts or ()):
        place = step(step(at, key), number)
        check_object(mount, place, {"sourceVolume": str, "containerPath": str, "readOnly": bool})
        source_key, source = member(mount, "sourceVolume")
        if source and source not in volumes:
            raise InvalidDockerrun(
                f"no volume {shorten(source)}",
                pointer=step(place, source_key),
                hint=f"volumes has: {shorten(', '.join(sorted(volumes)))}"
                if volumes
                else "list it under volumes",
            )


def check_types(document: Mapping[str, Any], types: Mapping[str, type], at: str) -> None:
    """Refuse members of a wrong type; absent ones and nulls pass.

    Raises:
        InvalidDockerrun: With the place as JSON pointer.
    """
    for wanted, kind in types.items():
        key, value = member(document, wanted)
        # bool is an int in Python, not in JSON. A null says no more than an absent member.
        if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
            raise _wrong_type(value, kind, step(at, key))


def check_object(value: Any, at: str, types: Mapping[str, type]) -> None:
    """Refuse anything but an object whose members have those types.

    Raises:
        InvalidDockerrun: With the place as JSON pointer.
    """
    if not isinstance(value, dict):
        raise _wrong_type(value, dict, at)
    check_types(value, types, at)


def _wrong_type(value: Any, kind: type, at: str) -> InvalidDockerrun:
    hints = {str: "quote it", int: "write it without quotes and point", bool: "write it without quotes"}
    return InvalidDockerrun(
        f"{kind_of(value)} where {_WORDS[kind]} belongs", pointer=at, hint=hints.get(kind)
    )


def _check_memory(container: Mapping[str, Any], at: str) -> None:
    limits = [member(container, wanted) for wanted in ("memory", "memoryReservation")]
    if all(value is None for _, value in limits):
        raise InvalidDockerrun("a container without memory", pointer=at, hint='add "memory": MiB')
    for key, value in limits:
        if value is not None and not SMALLEST_MEMORY_MIB <= value <= _LARGEST_INT:
            few = value < SMALLEST_MEMORY_MIB
            raise InvalidDockerrun(
                f"less memory than {SMALLEST_MEMORY_MIB} MiB" if few else f"{value} MiB is no memory size",
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
        raise InvalidDockerrun(f"{cpu} is no share of a cpu", pointer=step(at, key), hint="1024 is one cpu")


def _check_environment(container: Mapping[str, Any], at: str) -> None:
    key, items = member(container, "environment")
    seen: set[str] = set()
    for number, item in enumerate(items or ()):
        place = step(step(at, key), number)
        if not isinstance(item, dict):
            raise InvalidDockerrun(
                "not an object with name and value", pointer=place, hint='{"name": "A", "value": "1"}'
            )
        for part in ("name", "value"):
            part_key, value = member(item, part)
            if not isinstance(value, str) or (part == "name" and not value):
                raise _wrong_type(value, str, step(place, part_key))
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
    key, mappings = member(container, "portMappings")
    for number, mapping in enumerate(mappings or ()):
        place = step(step(at, key), number)
        check_object(mapping, place, {"containerPort": int, "hostPort": int, "protocol": str})
        for wanted, smallest in (("containerPort", 1), ("hostPort", 0)):
            port_key, port = member(mapping, wanted)
            if port is None and wanted == "containerPort":
                raise InvalidDockerrun(
                    "a port mapping without a port", pointer=place, hint='add "containerPort"'
                )
            if port is not None and not smallest <= port <= 65535:
                raise InvalidDockerrun(
                    f"{port} is not a port", pointer=step(place, port_key), hint=f"{smallest} to 65535"
                )
        protocol_key, protocol = member(mapping, "protocol")
        if protocol not in {None, "", "tcp", "udp"}:
            raise InvalidDockerrun(
                f"no protocol {shorten(protocol)}", pointer=step(place, protocol_key), hint="tcp or udp"
            )
