"""Store a Dockerrun in Layer0 as a deploy."""

from __future__ import annotations

from dataclasses import dataclass

from ecr_widgets.model.dockerrun import Dockerrun
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.layer0 import check_deploy_name
from ecr_widgets.ports import Layer0


@dataclass(frozen=True, slots=True)
class DeployOutcome:
    """The deploy that holds the wanted Dockerrun."""

    deploy_id: str
    name: str
    version: int
    image: ImageReference
    dockerrun_sha256: str
    changed: bool


def create_deploy(
    layer0: Layer0, name: str, dockerrun: Dockerrun, *, image: ImageReference, container: str | None = None
) -> DeployOutcome:
    """Set the image in the Dockerrun and store it; an equal one already stored under that name is reused.

    Args:
        image: Reference by digest, so that a restart runs the same image.

        container: Whose image is set; may be left out where the Dockerrun has one container.

    Raises:
        InputError: Layer0 would refuse the name.

        InvalidDockerrun: No such container.
    """
    check_deploy_name(name)
    wanted = dockerrun.with_image(image, container=container)
    content = wanted.content_sha256()
    for stored in reversed(layer0.list_deploys(name)):
        document = layer0.read_deploy(stored.deploy_id).dockerrun
        if document is not None and Dockerrun.parse(document).content_sha256() == content:
            return DeployOutcome(stored.deploy_id, name, stored.version, image, content, changed=False)
    created = layer0.create_deploy(name, wanted.to_bytes())
    return DeployOutcome(created.deploy_id, name, created.version, image, content, changed=True)
