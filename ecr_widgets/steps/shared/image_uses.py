"""What uses the images of a repository. Everything that deletes, proposes or marks an image goes by `used_images`.

Layer0 does not report the digest of what runs. If that is not known for certain, an image counts as used.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from ecr_widgets.dockerrun.images import image_texts
from ecr_widgets.errors import AuthorizationError, EntityNotFound, InputError
from ecr_widgets.model.image_parts import Parts, subject_of
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.registry import Image
from ecr_widgets.model.registry_host import OwnRegistry, Sameness
from ecr_widgets.model.services import Deploy
from ecr_widgets.ports import Ecr, Progress, ProgressSink, ignore_progress
from ecr_widgets.ports.services import Services
from ecr_widgets.steps.shared.layer0_on_ecs import Listed

_AT_ONCE = 8
_START = timedelta(hours=1)
"""How long after its start a deployment may resolve its tag for the first time."""
_NEVER = datetime(1, 1, 2, tzinfo=UTC)
"""An earlier time means that Layer0 reported none."""


@dataclass(frozen=True, slots=True)
class ImageUse:
    """One place where an image is used."""

    image: ImageReference
    """The reference used there."""
    by: str
    """`service demo/timeoutsvc`, `task demo/backup`, or `deploy timeout.2`."""
    runs: bool
    """Whether it runs or is to run; False if a stored deploy only names it."""
    since: datetime | None = None
    """When the deployment that runs it began; None if that is not known."""

    def at_the_latest(self, other: ImageUse) -> ImageUse:
        """The one of the two that may run more images."""
        return other if self.since is not None and (other.since is None or other.since > self.since) else self

    def names(self, image: Image) -> bool:
        """Whether the reference now means this image of the repository."""
        if self.image.digest is not None:
            return self.image.digest == image.digest
        return (self.image.tag or "latest") in image.tags

    def may_run(self, image: Image, *, was_pulled: bool) -> bool:
        """Whether this runs by a tag that may have named the image when a copy was started.

        A tag may have moved since, to an image that was pushed later or earlier. Each copy resolves it again, so an image
        that was pushed after the deployment began may also run, if it was ever pulled.
        """
        if not self.runs or self.image.digest is not None:
            return False
        return self.since is None or image.pushed_at <= self.since + _START or was_pulled


@dataclass(frozen=True, slots=True)
class UsesOutcome:
    """All uses of a repository's images."""

    repository: str
    uses: tuple[ImageUse, ...]
    unknown: tuple[str, ...] = ()
    """What may use any image of the repository, since it is not known which."""
    not_read: tuple[str, ...] = ()
    """Which stored deploys were not read, since there are too many: an image that only these name counts as unused."""
    changed: bool = False

    @property
    def running(self) -> tuple[ImageUse, ...]:
        """Those that run."""
        return tuple(use for use in self.uses if use.runs)


def used_images(images: Iterable[Image], uses: UsesOutcome, parts: Parts) -> Mapping[str, tuple[str, ...]]:
    """What uses each image, by digest; unused images are left out.

    If an image is used, so is everything that belongs to it, and what it belongs to. If `uses.unknown` is not empty, an image
    that is left out may be used as well.

    Args:
        parts: Of the same images.
    """
    images = tuple(images)
    pulled = pulled_since(images, parts, _NEVER)
    direct = {
        image.digest: tuple(_using(image, uses, parts, was_pulled=image.digest in pulled)) for image in images
    }
    users = {digest: by for digest, by in direct.items() if by}
    named = frozenset(users)
    for digest, by in direct.items():
        for owner in parts.above(digest) - named if by else ():
            users[owner] = users.get(owner, ()) + tuple(f"{each}, through {digest}" for each in by)
    through = {
        part: tuple(
            f"{by}, through {owner}"
            for owner in sorted(parts.above(part) & users.keys())
            for by in users[owner]
        )
        for part in parts.owners.keys() - users.keys()
    }
    return users | {part: by for part, by in through.items() if by}


def pulled_since(images: Iterable[Image], parts: Parts, since: datetime) -> frozenset[str]:
    """What was pulled since then, with everything that it belongs to.

    ECR counts reading an index as a pull, and this tool reads them as well. So an index only counts as pulled if one of its
    images was.
    """
    indexes = frozenset(owner for each in parts.owners.values() for owner in each)
    pulled = [
        image.digest
        for image in images
        if image.last_pulled_at is not None
        and image.last_pulled_at >= since
        and not (image.is_index and image.digest in indexes)
    ]
    return frozenset(pulled).union(*map(parts.above, pulled))


def _using(image: Image, uses: UsesOutcome, parts: Parts, *, was_pulled: bool) -> Iterator[str]:
    for use in uses.uses:
        if use.names(image):
            yield use.by
        elif use.may_run(image, was_pulled=was_pulled) and _is_run(image, parts):
            yield f"{use.by}, perhaps: it was started by tag {use.image.tag or 'latest'}"


def _is_run(image: Image, parts: Parts) -> bool:
    """Whether it is an image, not something attached to one."""
    return subject_of(image) is None and parts.kinds.get(image.digest) != "attestation"


def read_parts(ecr: Ecr, repository: str, images: Iterable[Image]) -> Parts:
    """What belongs to what among all images of a repository."""
    images = tuple(images)
    indexes = [image.digest for image in images if image.is_index or image.media_type is None]
    return Parts.of(images, ecr.read_indexes(repository, indexes) if indexes else {})


def find_uses(
    targets: Iterable[Services],
    repository: str,
    *,
    registry: OwnRegistry,
    stored: bool = True,
    progress: ProgressSink = ignore_progress,
) -> UsesOutcome:
    """Search every service, task and stored deploy of the deploy targets for a repository's images.

    Args:
        repository: Name in the registry.

        stored: Whether to read the stored deploys, too; without them it is quicker.
    """
    listed = Listed()
    looks = [_Look(services, repository, registry, listed) for services in targets]
    for look in looks:
        with look.admitted():
            look.at_running()
            if stored:
                look.at_stored(progress)
    return _outcome(repository, looks)


def _outcome(repository: str, looks: Iterable[_Look]) -> UsesOutcome:
    """What was found, with what runs first; each use once, though several deployments or targets may report it."""
    uses: dict[ImageUse, ImageUse] = {}
    for use in (each for look in looks for each in look.uses):
        same = replace(use, since=None)
        uses[same] = use.at_the_latest(uses[same]) if same in uses else use
    ordered = sorted(uses.values(), key=lambda use: (not use.runs, use.by, str(use.image)))
    unknown = dict.fromkeys(why for look in looks for why in look.unknown)
    not_read = tuple(each for look in looks for each in look.not_read)
    return UsesOutcome(repository, tuple(ordered), tuple(unknown), not_read)


class _Look:
    """One search of a deploy target, which reads each stored deploy once."""

    def __init__(self, services: Services, repository: str, registry: OwnRegistry, listed: Listed) -> None:
        self._services = services
        self._repository = repository
        self._registry = registry
        self._listed = listed
        self._within = re.compile(rf"[^a-z0-9._-]{re.escape(repository)}(?![a-z0-9._/-])", re.ASCII)
        self.uses: list[ImageUse] = []
        self.unknown: list[str] = []
        """What may use any image of the repository, and why."""
        self.not_read: list[str] = []
        """Stored deploys that are too many to read, in words."""
        self._texts: dict[str, tuple[str, ...] | None] = {}

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Note that what the target runs is not known if its requests are denied."""
        try:
            yield
        except AuthorizationError as error:
            self.unknown.append(
                f"{self._services.dialect()} was not asked: {error.message}; have it allowed, or name the targets that"
                " there are in ECR_WIDGETS_TARGETS"
            )

    def at_running(self) -> None:
        """Services with each of their deployments, and tasks that have not ended."""
        environments = {each.environment_id: each.name for each in self._services.list_environments()}

        def where(kind: str, environment_id: str, name: str) -> str:
            return f"{kind} {environments.get(environment_id, environment_id)}/{name}"

        for summary in self._services.list_services():
            try:
                service = self._services.read_service(summary.entity_id)
            except EntityNotFound:
                continue  # deleted meanwhile
            place = environments.get(service.environment_id, "")
            by = self._listed.service(service, place, where("service", service.environment_id, service.name))
            if not service.deployments and (service.running_count or service.pending_count):
                self.unknown.append(f"{by} runs, and {self._services.dialect()} does not say which deploy")
            for deployment in service.deployments:
                since = deployment.created_at if deployment.created_at > _NEVER else None
                self._note_running(deployment.deploy_id, by, since)
            # If a tag has moved since, new copies still get what it was resolved to.
            self._note(self._services.resolved_images(service.service_id), by, runs=True, since=None)
        for each in self._services.list_tasks():
            try:
                task = self._services.read_task(each.entity_id)
            except EntityNotFound:
                continue
            if not task.is_stopped:
                self._note_running(task.deploy_id, where("task", task.environment_id, task.name), None)

    def at_stored(self, progress: ProgressSink) -> None:
        """Everything that could be run again; only the newest deploys of a name with very many."""
        deploys, limits = self._services.list_all_deploys(), self._services.deploy_limits()
        self._note_stored(deploys, progress)
        if limits is None:
            return
        counts = Counter(each.name for each in deploys)
        cut = {name for name, count in counts.items() if count >= limits.of_each}
        naming = sorted(cut & {each.name for each in deploys if self._names_it(each.deploy_id)})
        # Each takes a call of its own, so the older ones are only read for names that deploy the repository's images.
        listed = {name: self._services.list_deploys(name) for name in naming}
        older = [each for some in listed.values() for each in some if each.deploy_id not in self._texts]
        self._note_stored(older, progress)
        self.not_read += [
            f"deploys of {name} that are older than the newest {limits.of_one}"
            for name, some in listed.items()
            if len(some) >= limits.of_one
        ]
        others = len(cut) - len(naming)
        if others:
            self.not_read.append(
                f"deploys of {others} other name{'s' * (others > 1)} that are older than the newest {limits.of_each},"
                " none of which names an image of the repository"
            )

    def _note_stored(self, deploys: Sequence[Deploy], progress: ProgressSink) -> None:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            read = pool.map(lambda each: self._read(each.deploy_id), deploys)
            for number, (deploy, texts) in enumerate(zip(deploys, read, strict=True), 1):
                # A deploy that was deleted meanwhile, or whose tags outlive it, names nothing.
                by = self._listed.deploy(deploy.name, deploy.version)
                self._note(texts or (), by, runs=False, since=None)
                progress(Progress("deploys", "reading what they name", number, len(deploys)))

    def _names_it(self, deploy_id: str) -> bool:
        return any(self._within.search(text) for text in self._texts.get(deploy_id) or ())

    def _note_running(self, deploy_id: str, by: str, since: datetime | None) -> None:
        texts = self._read(deploy_id) if deploy_id else None
        if texts is None:
            self.unknown.append(f"{by} runs deploy {deploy_id or 'of no name'}, which is no longer stored")
        self._note(texts or (), by, runs=True, since=since)

    def _note(self, texts: Iterable[str], by: str, *, runs: bool, since: datetime | None) -> None:
        for text in texts:
            try:
                image = ImageReference.parse(text)
            except InputError:
                # Such as a template that was not filled in: no engine pulls it, unless it reads it differently.
                if self._within.search(text):
                    self.unknown.append(f"{by} names {text!r}, which may be any image of {self._repository}")
                continue
            if image.repository != self._repository:
                continue
            sameness = self._registry.sameness(image.registry)
            if sameness is not Sameness.OTHER:
                user = by if sameness is Sameness.SAME else f"{by}, perhaps: by the host {image.registry}"
                self.uses.append(ImageUse(image, user, runs, since))

    def _read(self, deploy_id: str) -> tuple[str, ...] | None:
        """What a stored deploy names; None if there is none with that id."""
        if deploy_id not in self._texts:
            self._texts[deploy_id] = self._read_anew(deploy_id)
        return self._texts[deploy_id]

    def _read_anew(self, deploy_id: str) -> tuple[str, ...] | None:
        try:
            document = self._services.read_deploy(deploy_id).dockerrun
        except EntityNotFound:
            return None
        try:
            if document:
                return image_texts(document)
            why = "it is empty"
        except InputError as error:
            why = str(error)
        self.unknown.append(f"deploy {deploy_id} cannot be read: {why}")
        return ()
