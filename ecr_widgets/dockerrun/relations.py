"""What must hold between the containers of a Dockerrun. Each refusal names its place.

Source: Amazon ECS API, ContainerDefinition and ContainerDependency.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ecr_widgets.dockerrun.form import SAME_PORTS, member
from ecr_widgets.dockerrun.places import places
from ecr_widgets.dockerrun.reading import shorten, step
from ecr_widgets.errors import InvalidDockerrun

_Container = Mapping[str, Any]


def check_relations(document: Mapping[str, Any], containers: Sequence[_Container], at: str) -> None:
    """Refuse duplicate names and host ports, bad references, waiting in a circle, and tasks without an essential container.

    Raises:
        InvalidDockerrun: With the place as JSON pointer.
    """
    names = _names(containers, at)
    mode = member(document, "networkMode")[1] or "bridge"
    _check_ports(containers, at, mode)
    for place, name in _references(containers, at, mode):
        if name not in names:
            raise InvalidDockerrun(
                f"no container {shorten(name)} in this Dockerrun",
                pointer=place,
                hint=f"it has: {', '.join(names)}",
            )
        if place.startswith(f"{names[name]}/"):
            raise InvalidDockerrun(f"container {shorten(name)} names itself", pointer=place, hint="remove it")
    _check_dependencies({name: containers[number] for number, name in enumerate(names)}, names)
    if all(member(container, "essential")[1] is False for container in containers):
        raise InvalidDockerrun("no container is essential", pointer=at, hint="ECS needs at least one")


def _names(containers: Sequence[_Container], at: str) -> dict[str, str]:
    """The place of each container by its name, in order."""
    names: dict[str, str] = {}
    for number, container in enumerate(containers):
        key, name = member(container, "name")
        place = step(at, number)
        if (other := names.setdefault(name, place)) != place:
            raise InvalidDockerrun(
                f"container name {name!r} is already used at {other}",
                pointer=step(place, key),
                hint="rename one",
            )
    return names


def _check_ports(containers: Sequence[_Container], at: str, mode: str) -> None:
    ports: dict[tuple[int, str], str] = {}
    for number, container in enumerate(containers):
        for place, mapping in places(container, "portMappings/*", step(at, number)):
            port_key, port = member(mapping, "hostPort")
            here = step(place, port_key)
            wanted = member(mapping, "containerPort")[1]
            if mode in SAME_PORTS and port not in {None, 0, wanted}:
                raise InvalidDockerrun(
                    f"host port {port} is not container port {wanted}, and network mode {mode} has no other",
                    pointer=here,
                    hint="leave hostPort out",
                )
            if mode == "awsvpc":
                port = wanted
            wire = (port or 0, member(mapping, "protocol")[1] or "tcp")
            if port and (other := ports.setdefault(wire, here)) != here:
                raise InvalidDockerrun(
                    f"host port {port} is already used at {other}",
                    pointer=here,
                    hint="use another, or 0 for any free one",
                )


def _references(containers: Sequence[_Container], at: str, mode: str) -> Iterator[tuple[str, str]]:
    """Every place that names another container, with that name."""
    for number, container in enumerate(containers):
        place = step(at, number)
        for here, link in places(container, "links/*", place):
            if mode != "bridge":
                raise InvalidDockerrun(
                    f"links work in network mode bridge only, and this is {mode}",
                    pointer=here,
                    hint="use localhost with network mode host" if mode == "host" else "remove it",
                )
            yield here, link.partition(":")[0]
        yield from places(container, "volumesFrom/*/sourceContainer", place)
        yield from places(container, "dependsOn/*/containerName", place)


def _check_dependencies(containers: Mapping[str, _Container], at: Mapping[str, str]) -> None:
    waits_for: dict[str, set[str]] = {}
    for name, container in containers.items():
        for here, dependency in places(container, "dependsOn/*", at[name]):
            other, condition = (member(dependency, each)[1] for each in ("containerName", "condition"))
            waits_for.setdefault(name, set()).add(other)
            if (
                condition in {"COMPLETE", "SUCCESS"}
                and member(containers[other], "essential")[1] is not False
            ):
                raise InvalidDockerrun(
                    f"container {shorten(other)} is essential, so the task stops when it ends",
                    pointer=here,
                    hint=f'give {shorten(other)} "essential": false, or wait for START or HEALTHY',
                )
            if condition == "HEALTHY" and not member(containers[other], "healthCheck")[1]:
                raise InvalidDockerrun(
                    f"container {shorten(other)} has no health check",
                    pointer=here,
                    hint="add a healthCheck to it, or wait for START",
                )
        for link in member(container, "links")[1] or ():
            waits_for.setdefault(name, set()).add(link.partition(":")[0])
        for source in member(container, "volumesFrom")[1] or ():
            waits_for.setdefault(name, set()).add(member(source, "sourceContainer")[1])
    while waits_for:
        # A container that waits for no waiting one can start; those left over wait for each other.
        ready = [name for name, others in waits_for.items() if waits_for.keys().isdisjoint(others)]
        if not ready:
            name = next(iter(waits_for))
            raise InvalidDockerrun(
                f"containers wait for each other in a circle: {', '.join(sorted(waits_for))}",
                pointer=at[name],
                hint="remove one of dependsOn, links or volumesFrom",
            )
        for name in ready:
            del waits_for[name]
