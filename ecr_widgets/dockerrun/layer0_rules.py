"""What Layer0 wants of a Dockerrun beyond what ECS does. Each refusal names its place.

Source: Layer0 refuses a family that is not its own, and knows the members of aws-sdk-go 1.30.4 only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ecr_widgets.dockerrun.form import LAYER0_PREFIX, member
from ecr_widgets.dockerrun.reading import shorten, step
from ecr_widgets.errors import InvalidDockerrun


def check_for_layer0(
    document: Mapping[str, Any],
    containers: Sequence[Mapping[str, Any]],
    root: str,
    *,
    images: bool,  # noqa: ARG001 -- Layer0 treats all images alike
) -> None:
    """Refuse what ECS takes and Layer0 does not.

    Raises:
        InvalidDockerrun: With the place as JSON pointer.
    """
    key, family = member(document, "family")
    if family and not family.startswith(LAYER0_PREFIX):
        raise InvalidDockerrun(
            f"family {shorten(family)} is not Layer0's",
            pointer=step(root, key),
            hint="leave it out; Layer0 makes it of the deploy's name",
        )
    at = step(root, member(document, "containerDefinitions")[0])
    for number, container in enumerate(containers):
        for wanted in ("secrets", "repositoryCredentials"):
            key, value = member(container, wanted)
            if value:
                raise InvalidDockerrun(
                    "Layer0 gives ECS no execution role, without which ECS refuses this",
                    pointer=step(step(at, number), key),
                    hint="read secrets in the container, with the role of taskRoleArn",
                )
