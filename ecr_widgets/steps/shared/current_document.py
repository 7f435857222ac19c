"""The document that a service runs now, for deploying it with another image."""

from __future__ import annotations

from typing import NamedTuple

from ecr_widgets.errors import InputError
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.ports.services import Services
from ecr_widgets.steps.shared.service_lookup import find_service

ANY_IMAGE = ImageReference("registry.invalid", "image", digest=f"sha256:{'0' * 64}")
"""A placeholder for the image that the document will get."""


class CurrentDocument(NamedTuple):
    """What the deploy holds that a service runs or moves to."""

    name: str
    """Name of the deploy; the service's if the deploy has none."""
    content: bytes


def current_document(services: Services, environment: str, service: str) -> CurrentDocument:
    """Read what a service runs or moves to.

    Raises:
        InputError: The service runs nothing yet, or what it runs is not reported.

        EntityNotFound: No such environment, or the deploy was deleted.
    """
    hint = "give a Dockerrun or task definition as a file"
    if not service:
        raise InputError("neither a Dockerrun nor a service that runs one is given", hint=hint)
    primary = getattr(find_service(services, environment, service)[1], "primary", None)
    if primary is None:
        raise InputError(f"service {service!r} runs nothing whose document could be used", hint=hint)
    deploy = services.read_deploy(primary.deploy_id)
    if deploy.dockerrun is None:
        raise InputError(
            f"{services.dialect()} does not say what deploy {primary.deploy_id} holds", hint=hint
        )
    return CurrentDocument(deploy.name or service, deploy.dockerrun)
