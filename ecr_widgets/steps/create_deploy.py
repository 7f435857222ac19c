"""Store a Dockerrun in Layer0 as a deploy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ecr_widgets.model.dockerrun import Dockerrun
from ecr_widgets.model.dockerrun_kept import kept_settings
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.layer0 import Deploy, check_deploy_name
from ecr_widgets.ports import Clock, Layer0
from ecr_widgets.steps.reconcile import reconcile


@dataclass(frozen=True, slots=True)
class DeployOutcome:
    """The deploy that holds the wanted Dockerrun."""

    deploy_id: str
    name: str
    version: int
    image: ImageReference
    dockerrun_sha256: str
    changed: bool
    reconciled: bool = False
    """Whether the reply was lost and the deploy found by its content."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Of the Dockerrun by their places, without what may be a secret; see `kept_settings`."""


def create_deploy(
    layer0: Layer0,
    clock: Clock,
    name: str,
    dockerrun: Dockerrun,
    *,
    image: ImageReference,
    container: str | None = None,
) -> DeployOutcome:
    """Set the image in the Dockerrun and store it; an equal one already stored under that name is reused.

    Args:
        image: Reference by digest, so that a restart runs the same image.

        container: Whose image is set; may be left out where the Dockerrun has one container.

    Raises:
        InputError: Layer0 would refuse the name.

        InvalidDockerrun: No such container.

        OutcomeUnknown: The reply was lost, and no deploy of that content showed up.
    """
    check_deploy_name(name)
    wanted = dockerrun.with_image(image, container=container)
    content, settings = wanted.content_sha256(), kept_settings(wanted)

    def stored() -> Deploy | None:
        for each in reversed(layer0.list_deploys(name)):
            document = layer0.read_deploy(each.deploy_id).dockerrun
            if document is not None and Dockerrun.parse(document).content_sha256() == content:
                return each
        return None

    standing = stored()
    if standing is not None:
        return DeployOutcome(
            standing.deploy_id, name, standing.version, image, content, changed=False, settings=settings
        )
    made, found = reconcile(clock, lambda: layer0.create_deploy(name, wanted.to_bytes()), stored)
    return DeployOutcome(
        made.deploy_id, name, made.version, image, content, changed=True, reconciled=found, settings=settings
    )
