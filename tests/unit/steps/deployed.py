"""Stored deploys and the service that runs them, for tests of later steps."""

from __future__ import annotations

from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.steps.create_deploy import CreateDeploy, DeployOutcome
from ecr_widgets.steps.deploy_service import DeployService, ServiceOutcome
from ecr_widgets.steps.shared.outside import Outside
from tests.fakes import REGISTRY, digest_of
from tests.fakes.connections import perform

DOCKERRUN = '{"containerDefinitions": [{"name": "timeout", "image": "x", "memory": 10}]}'
IMAGE = ImageReference.parse(f"{REGISTRY}/xfra-wait@{digest_of('a')}")
OTHER = ImageReference.parse(f"{REGISTRY}/xfra-wait@{digest_of('b')}")


def stored(
    outside: Outside,
    image: ImageReference | str = IMAGE,
    *,
    name: str = "timeout",
    dockerrun: str = DOCKERRUN,
    container: str | None = None,
) -> DeployOutcome:
    """Store the Dockerrun with that image."""
    (outside.files.folders[0] / "Dockerrun.aws.json").write_text(dockerrun)
    return perform(CreateDeploy(name, "Dockerrun.aws.json", image=image, container=container), outside)


def deployed(outside: Outside, image: ImageReference = IMAGE) -> ServiceOutcome:
    """Deploy that image to the service `timeoutsvc`."""
    return perform(DeployService("demo", "timeoutsvc", stored(outside, image)), outside)
