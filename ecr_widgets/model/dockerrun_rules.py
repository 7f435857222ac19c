"""What a Dockerrun must be so that Layer0 and ECS take it. Each refusal names its place.

Source: Amazon ECS API, ContainerDefinition; Layer0 refuses a family that is not its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ecr_widgets.errors import InvalidDockerrun
from ecr_widgets.model.dockerrun_container import check_container, check_object, check_types
from ecr_widgets.model.dockerrun_form import LAYER0_PREFIX, OWN_KEYS, READ_MEMBERS, member, spelling
from ecr_widgets.model.dockerrun_reading import shorten, step

MAX_CONTAINERS = 10
_TOP_TYPES: Mapping[str, type] = {
    "volumes": list,
    "family": str,
    "networkMode": str,
    "taskRoleArn": str,
    "placementConstraints": list,
}
_NETWORK_MODES = frozenset(("", "bridge", "host", "awsvpc", "none"))


def check_document(document: Mapping[str, Any]) -> None:
    """Refuse what Layer0 or ECS would refuse or misread.

    Raises:
        InvalidDockerrun: With the place as JSON pointer, what is wrong and what to write instead.
    """
    for key, value in document.items():
        if spelling(key) in READ_MEMBERS:
            _check_spelling(value, step("", key))
    _check_no_two_cases([key for key in document if spelling(key) in READ_MEMBERS], "")
    check_types(document, _TOP_TYPES, "")
    _check_layer0s_members(document)
    key, containers = member(document, "containerDefinitions")
    if containers is None:
        old = member(document, "AWSEBDockerrunVersion")[1] in (1, "1")
        raise InvalidDockerrun(
            "no containerDefinitions" + (": this is a Dockerrun of version 1" if old else ""),
            hint="write version 2 with at least one container" if old else "list at least one container",
        )
    at = step("", key)
    if not isinstance(containers, list) or not containers:
        raise InvalidDockerrun("not a list of containers", pointer=at, hint="list at least one container")
    if len(containers) > MAX_CONTAINERS:
        raise InvalidDockerrun(
            f"{len(containers)} containers",
            pointer=at,
            hint=f"ECS takes {MAX_CONTAINERS} in one task; split it into several deploys",
        )
    volumes = _volume_names(document)
    for number, container in enumerate(containers):
        check_container(container, step(at, number), volumes)
    _check_together(containers, at)


def _check_spelling(value: Any, at: str) -> None:
    """Refuse members that differ in case only: which of them counts would depend on the reader."""
    if isinstance(value, dict):
        _check_no_two_cases(list(value), at)
        for key, item in value.items():
            # In the document the environment is a list of objects; only the maps have keys of people's own.
            if spelling(key) not in OWN_KEYS or isinstance(item, list):
                _check_spelling(item, step(at, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            _check_spelling(item, step(at, number))


def _check_no_two_cases(keys: list[str], at: str) -> None:
    seen: dict[str, str] = {}
    for key in keys:
        if (other := seen.setdefault(key.casefold(), key)) != key:
            raise InvalidDockerrun(
                f"members {shorten(other)} and {shorten(key)} differ in case only",
                pointer=step(at, key),
                hint="keep one of them",
            )


def _check_layer0s_members(document: Mapping[str, Any]) -> None:
    key, family = member(document, "family")
    if family and not family.startswith(LAYER0_PREFIX):
        raise InvalidDockerrun(
            f"family {shorten(family)} is not Layer0's",
            pointer=step("", key),
            hint="leave it out; Layer0 makes it of the deploy's name",
        )
    key, mode = member(document, "networkMode")
    if (mode or "") not in _NETWORK_MODES:
        raise InvalidDockerrun(
            f"no network mode {shorten(mode)}", pointer=step("", key), hint="bridge, host, awsvpc or none"
        )


def _volume_names(document: Mapping[str, Any]) -> frozenset[str]:
    key, volumes = member(document, "volumes")
    names = set()
    for number, volume in enumerate(volumes or ()):
        at = step(step("", key), number)
        check_object(volume, at, {"name": str, "host": dict})
        name = member(volume, "name")[1]
        if not name:
            raise InvalidDockerrun("a volume without a name", pointer=at, hint='add "name"')
        if name in names:
            raise InvalidDockerrun(
                f"two volumes {shorten(name)}", pointer=step(at, "name"), hint="rename one"
            )
        names.add(name)
    return frozenset(names)


def _check_together(containers: list[dict[str, Any]], at: str) -> None:
    """What holds between containers: one name each, one owner of a host port, one that is essential."""
    names: dict[str, str] = {}
    ports: dict[tuple[int, str], str] = {}
    for number, container in enumerate(containers):
        place = step(at, number)
        key, name = member(container, "name")
        if (other := names.setdefault(name, place)) != place:
            raise InvalidDockerrun(
                f"container name {name!r} stands at {other} already",
                pointer=step(place, key),
                hint="rename one",
            )
        key, mappings = member(container, "portMappings")
        for index, mapping in enumerate(mappings or ()):
            port_key, port = member(mapping, "hostPort")
            here = step(step(step(place, key), index), port_key)
            wire = (port or 0, member(mapping, "protocol")[1] or "tcp")
            if port and (other := ports.setdefault(wire, here)) != here:
                raise InvalidDockerrun(
                    f"host port {port} is taken at {other} already",
                    pointer=here,
                    hint="use another, or 0 for any free one",
                )
    if all(member(container, "essential")[1] is False for container in containers):
        raise InvalidDockerrun("no container is essential", pointer=at, hint="ECS wants at least one")
