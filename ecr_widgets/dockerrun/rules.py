"""What a Dockerrun must be so that Layer0 and ECS take it. Each refusal names its place.

Source: Amazon ECS API, ContainerDefinition; Layer0 refuses a family that is not its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ecr_widgets.dockerrun.container import check_container, check_image
from ecr_widgets.dockerrun.form import LAYER0_PREFIX, member
from ecr_widgets.dockerrun.members import DOCUMENT, check_members
from ecr_widgets.dockerrun.reading import shorten, step
from ecr_widgets.dockerrun.relations import check_relations
from ecr_widgets.errors import InvalidDockerrun

MAX_CONTAINERS = 10


def check_document(document: Mapping[str, Any], *, images: bool = True) -> None:
    """Refuse what Layer0 or ECS would refuse, misread or drop by mistake.

    Args:
        images: False if the run sets an image, which may then be any text, or missing.

    Raises:
        InvalidDockerrun: With the place as JSON pointer, what is wrong and what to write instead.
    """
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
    check_members(document, DOCUMENT, "")
    _check_family(document)
    volumes = _volume_names(document)
    for number, container in enumerate(containers):
        check_container(container, step(at, number), volumes)
        if images:
            check_image(container, step(at, number))
    check_relations(document, containers, at)


def _check_family(document: Mapping[str, Any]) -> None:
    key, family = member(document, "family")
    if family and not family.startswith(LAYER0_PREFIX):
        raise InvalidDockerrun(
            f"family {shorten(family)} is not Layer0's",
            pointer=step("", key),
            hint="leave it out; Layer0 makes it of the deploy's name",
        )


def _volume_names(document: Mapping[str, Any]) -> frozenset[str]:
    key, volumes = member(document, "volumes")
    names = set()
    for number, volume in enumerate(volumes or ()):
        at = step(step("", key), number)
        name = member(volume, "name")[1]
        if not name:
            raise InvalidDockerrun("a volume without a name", pointer=at, hint='add "name"')
        if name in names:
            raise InvalidDockerrun(
                f"two volumes {shorten(name)}", pointer=step(at, "name"), hint="rename one"
            )
        names.add(name)
    return frozenset(names)
