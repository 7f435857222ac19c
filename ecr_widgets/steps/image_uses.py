"""Which images run, and which ones stored deploys name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ecr_widgets.errors import EntityNotFound, InputError
from ecr_widgets.model.dockerrun import Dockerrun
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.registry import Image
from ecr_widgets.ports import Layer0, Progress, ProgressSink, ignore_progress

_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class ImageUse:
    """One place where an image is used."""

    image: ImageReference
    by: str
    """`service demo/timeoutsvc`, `task demo/backup`, or `deploy timeout.2`."""
    runs: bool
    """Whether it runs or is to run; False where a stored deploy only names it."""

    def names(self, image: Image, *, repository: str, registry: str) -> bool:
        """Whether this is a use of an image that stands in a repository of a registry now."""
        if (self.image.registry, self.image.repository) != (registry, repository):
            return False
        if self.image.digest is not None:
            return self.image.digest == image.digest
        return (self.image.tag or "latest") in image.tags


@dataclass(frozen=True, slots=True)
class UsesOutcome:
    """All uses of a repository's images."""

    repository: str
    uses: tuple[ImageUse, ...]
    changed: bool = False

    @property
    def running(self) -> tuple[ImageUse, ...]:
        """Those that run."""
        return tuple(use for use in self.uses if use.runs)


def find_uses(
    layer0: Layer0, repository: str, *, registry: str, progress: ProgressSink = ignore_progress
) -> UsesOutcome:
    """Look through every service, task and stored deploy of Layer0 for a repository's images.

    Args:
        repository: Name in the registry.

        registry: Host.
    """
    found = [
        use
        for use in (*_running(layer0), *_stored(layer0, progress))
        if (use.image.registry, use.image.repository) == (registry, repository)
    ]
    return UsesOutcome(repository, tuple(sorted(found, key=lambda use: (not use.runs, use.by))))


def running_images(layer0: Layer0, repository: str, *, registry: str) -> tuple[ImageUse, ...]:
    """Services and tasks that run a repository's images; stored deploys are not looked at, which is quicker.

    Args:
        repository: Name in the registry.

        registry: Host.
    """
    return tuple(
        use
        for use in _running(layer0)
        if (use.image.registry, use.image.repository) == (registry, repository)
    )


def _running(layer0: Layer0) -> Iterator[ImageUse]:
    environments = {each.environment_id: each.name for each in layer0.list_environments()}
    for summary in layer0.list_services():
        try:
            service = layer0.read_service(summary.entity_id)
        except EntityNotFound:
            continue  # deleted meanwhile
        where = f"service {environments.get(service.environment_id, service.environment_id)}/{service.name}"
        for deployment in service.deployments:
            yield from _named(layer0, deployment.deploy_id, where, runs=True)
    for summary in layer0.list_tasks():
        try:
            task = layer0.read_task(summary.entity_id)
        except EntityNotFound:
            continue
        if not task.is_stopped:
            where = f"task {environments.get(task.environment_id, task.environment_id)}/{task.name}"
            yield from _named(layer0, task.deploy_id, where, runs=True)


def _stored(layer0: Layer0, progress: ProgressSink) -> Iterable[ImageUse]:
    deploys = layer0.list_all_deploys()
    found: list[ImageUse] = []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        uses = pool.map(
            lambda each: [*_named(layer0, each.deploy_id, f"deploy {each.name}.{each.version}", runs=False)],
            deploys,
        )
        for number, named in enumerate(uses, 1):
            found += named
            progress(Progress("deploys", "reading what they name", number, len(deploys)))
    return found


def _named(layer0: Layer0, deploy_id: str, by: str, *, runs: bool) -> Iterator[ImageUse]:
    try:
        document = layer0.read_deploy(deploy_id).dockerrun
        images = [c.image for c in Dockerrun.parse(document).containers] if document else []
    except (EntityNotFound, InputError):
        return  # deleted meanwhile, or no Dockerrun that names anything
    for image in images:
        try:
            yield ImageUse(ImageReference.parse(image), by, runs)
        except InputError:
            continue
