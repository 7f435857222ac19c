"""What Layer0 requires of a Dockerrun beyond what ECS does. Each refusal names its place.

Source: Layer0 refuses a family that is not its own, and only knows the members of aws-sdk-go 1.30.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ecr_widgets.dockerrun.places import places
from ecr_widgets.dockerrun.reading import shorten
from ecr_widgets.errors import InvalidDockerrun
from ecr_widgets.model.ecs_names import LAYER0_PREFIX


def check_for_layer0(document: Mapping[str, Any], root: str, *, images: bool) -> None:  # noqa: ARG001 -- all alike
    """Refuse what ECS accepts and Layer0 does not.

    Raises:
        InvalidDockerrun: With the place as JSON pointer.
    """
    for at, family in places(document, "family", root):
        if not family.startswith(LAYER0_PREFIX):
            raise InvalidDockerrun(
                f"family {shorten(family)} is not Layer0's",
                pointer=at,
                hint="leave it out; Layer0 makes it of the deploy's name",
            )
    for name in ("secrets", "repositoryCredentials"):
        for at, _ in places(document, f"containerDefinitions/*/{name}", root):
            raise InvalidDockerrun(
                "Layer0 gives ECS no execution role, without which ECS refuses this",
                pointer=at,
                hint="read secrets in the container, with the role of taskRoleArn",
            )
