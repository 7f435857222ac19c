"""Rules that a Dockerrun must meet for Layer0 or ECS to accept it. Each refusal names its place.

Source: Amazon ECS API, ContainerDefinition.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ecr_widgets.dockerrun.container import check_container, check_image
from ecr_widgets.dockerrun.dialect import RULES
from ecr_widgets.dockerrun.form import member
from ecr_widgets.dockerrun.kinds import check_members
from ecr_widgets.dockerrun.members import DOCUMENT
from ecr_widgets.dockerrun.places import places
from ecr_widgets.dockerrun.reading import shorten, step
from ecr_widgets.dockerrun.relations import check_relations
from ecr_widgets.errors import InvalidDockerrun
from ecr_widgets.model.services import Dialect

MAX_CONTAINERS = 10


def check_shape(document: Mapping[str, Any], dialect: Dialect, root: str = "") -> None:
    """Refuse documents without containers, and members of another type than ECS's.

    Args:
        root: JSON pointer of the document, if it is inside another one.

    Raises:
        InvalidDockerrun: With the place as JSON pointer, what is wrong and what to write instead.
    """
    key, containers = member(document, "containerDefinitions")
    if containers is None:
        old = member(document, "AWSEBDockerrunVersion")[1] in (1, "1")
        raise InvalidDockerrun(
            "no containerDefinitions" + (": this is a Dockerrun of version 1" if old else ""),
            pointer=root,
            hint="write version 2 with at least one container" if old else "list at least one container",
        )
    at = step(root, key)
    if not isinstance(containers, list) or not containers:
        raise InvalidDockerrun("not a list of containers", pointer=at, hint="list at least one container")
    if len(containers) > MAX_CONTAINERS:
        raise InvalidDockerrun(
            f"{len(containers)} containers",
            pointer=at,
            hint=f"ECS takes {MAX_CONTAINERS} in one task; split it into several deploys",
        )
    check_members(document, DOCUMENT, root, dialect)


def check_rules(
    document: Mapping[str, Any], dialect: Dialect, root: str = "", *, images: bool = True
) -> None:
    """Refuse what the target would refuse, misread or drop by mistake, in a document of the right shape.

    Args:
        images: False if the run sets the image, which may then be any text, or missing.

    Raises:
        InvalidDockerrun: With the place as JSON pointer, what is wrong and what to write instead.
    """
    key, containers = member(document, "containerDefinitions")
    at, rules = step(root, key), RULES[dialect]
    rules.check(document, root, images=images)
    volumes = _volume_names(document, root)
    needs_memory = not (rules.task_memory_suffices and member(document, "memory")[1])
    for number, container in enumerate(containers):
        check_container(container, step(at, number), volumes, needs_memory=needs_memory)
        if images:
            check_image(container, step(at, number))
    check_relations(document, containers, at)


def _volume_names(document: Mapping[str, Any], root: str) -> frozenset[str]:
    names = set()
    for at, volume in places(document, "volumes/*", root):
        name = member(volume, "name")[1]
        if not name:
            raise InvalidDockerrun("a volume without a name", pointer=at, hint='add "name"')
        if name in names:
            raise InvalidDockerrun(
                f"two volumes {shorten(name)}", pointer=step(at, "name"), hint="rename one"
            )
        names.add(name)
    return frozenset(names)
