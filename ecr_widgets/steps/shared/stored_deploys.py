"""The documents that are stored under a name, as the kit reads them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.errors import EntityNotFound, InvalidDockerrun
from ecr_widgets.model.services import Deploy
from ecr_widgets.ports.services import Services

_COMPARED = 20
"""How many stored deploys of a name are read; a name may have thousands."""


def stored_documents(services: Services, name: str) -> Iterator[tuple[Deploy, Dockerrun]]:
    """The newest deploys of a name that hold a document this kit can read, newest first."""
    for each in islice(reversed(services.list_deploys(name)), _COMPARED):
        held = read_stored(services, each.deploy_id)
        if held is not None:
            yield each, held


def equal_deploy(services: Services, name: str, content: str) -> Deploy | None:
    """The newest deploy of a name whose content has that SHA-256; None if none of those compared has."""
    deploys = (each for each, held in stored_documents(services, name) if held.content_sha256() == content)
    return next(deploys, None)


def read_stored(services: Services, deploy_id: str) -> Dockerrun | None:
    """What a deploy holds; None if it was deleted meanwhile, or is not something that this kit would have stored."""
    try:
        document = services.read_deploy(deploy_id).dockerrun
        return Dockerrun.stored(document, services.dialect()) if document is not None else None
    except (EntityNotFound, InvalidDockerrun):
        return None
