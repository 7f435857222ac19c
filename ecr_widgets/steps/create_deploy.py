"""Store a Dockerrun in Layer0 as a deploy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ecr_widgets.dockerrun.diff import ChangeKind, diff
from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.dockerrun.kept_settings import kept_settings
from ecr_widgets.errors import EntityNotFound, InvalidDockerrun
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
    warnings: tuple[str, ...] = ()
    """What Layer0 drops of the Dockerrun, and placeholders left in it."""


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
    content = wanted.content_sha256()

    def stored() -> Deploy | None:
        return next(
            (each for each, held in stored_dockerruns(layer0, name) if held.content_sha256() == content), None
        )

    standing, reconciled, held = stored(), False, wanted
    if standing is not None:
        made = standing
    else:
        made, reconciled = reconcile(clock, lambda: layer0.create_deploy(name, wanted.to_bytes()), stored)
        # An older Layer0 knows fewer members, and stores no others.
        held = _read_stored(layer0, made.deploy_id) or wanted
    missing = [change.pointer for change in diff(wanted, held) if change.kind is not ChangeKind.ADDED]
    return DeployOutcome(
        made.deploy_id,
        name,
        made.version,
        image,
        content,
        changed=standing is None,
        reconciled=reconciled,
        settings=kept_settings(held),
        warnings=(*wanted.warnings(), *(f"Layer0 did not store {pointer} as it is" for pointer in missing)),
    )


def stored_dockerruns(layer0: Layer0, name: str) -> Iterator[tuple[Deploy, Dockerrun]]:
    """The deploys of a name that hold a Dockerrun of our form, newest first."""
    for each in reversed(layer0.list_deploys(name)):
        held = _read_stored(layer0, each.deploy_id)
        if held is not None:
            yield each, held


def _read_stored(layer0: Layer0, deploy_id: str) -> Dockerrun | None:
    """None where it is gone meanwhile, or nothing that this kit would have stored."""
    try:
        document = layer0.read_deploy(deploy_id).dockerrun
        return Dockerrun.parse(document) if document is not None else None
    except (EntityNotFound, InvalidDockerrun):
        return None
