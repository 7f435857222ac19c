"""Push a local image to the registry and pin what the registry then serves."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, ClassVar

from ecr_widgets.errors import PushError, RegistryError, RegistryUnavailable, TagImmutable
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.registry_host import Sameness
from ecr_widgets.ports import Engine, ProgressSink, Registry
from ecr_widgets.steps.build_image import BuildOutcome
from ecr_widgets.steps.shared.local_image import LocalImage
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.registry_session import RegistrySession, StepSession
from ecr_widgets.steps.shared.repeats import Repeats, persist
from ecr_widgets.steps.step import NOT_YET, Step


@dataclass(frozen=True, slots=True)
class PushOutcome:
    """The image in the registry; `image` names it by digest."""

    image: ImageReference
    digest: str
    tag: str
    changed: bool
    repeated: tuple[str, ...] = field(default=(), kw_only=True)
    """What had to be retried, and why: one text for each retry."""
    note: str = field(default="", kw_only=True)
    """What else to know about what was pushed; mostly nothing."""


@dataclass(frozen=True, slots=True)
class Pushable:
    """What was found before the push."""

    target: ImageReference
    local: LocalImage
    step: StepSession
    tagged: str | None
    """The digest that the tag names now."""
    index: ImageReference | None
    """The index that has to be copied, if an engine would only push one of its images."""
    served: bool
    """Whether the registry already serves exactly this image under the tag."""


@dataclass(frozen=True)
class PushImage(Step[Any, PushOutcome]):
    """Push a local image to a repository of the account's registry, under a tag; what already exists is not sent.

    What was pushed is what the registry reports, before and after; what the engine says is only a check. An index is copied
    within the registry: an engine holds, and would push, only one of its images.

    Args:
        image: What `build_image` returned, or a local image by name or id.

    Raises:
        ImageNotFound: No such local image.

        RepositoryNotFound: The repository does not exist.

        TagImmutable: The tag names another image and must not move.

        AuthorizationError: The token was refused, and so was a new one.

        PushError: The engine reported a failure, or engine and registry disagree.

    Source: Docker Engine API, ImagePush; OCI distribution specification, "Pushing manifests".
    """

    asks: ClassVar = (
        "Docker Engine: POST /images/NAME/tag",
        "Docker Engine: POST /images/NAME/push",
        "registry: blob uploads",
        "registry: PUT manifest",
    )

    image: BuildOutcome | str
    _: KW_ONLY
    repository: str
    tag: str

    def inputs(self, outside: Outside) -> dict[str, Any]:
        source = self.image.image if isinstance(self.image, BuildOutcome) else self.image
        return {"source": source, "repository": self.repository, "tag": self.tag}

    def holds(self, outside: Outside) -> str:
        return outside.targets.image(outside.reference(self.repository, self.tag))

    def look(self, outside: Outside, progress: ProgressSink) -> Pushable | str | None:
        """What would be pushed; in a plan, when nothing is built yet, only what the tag names now."""
        target = outside.reference(self.repository, self.tag)
        source = self.image.image_id if isinstance(self.image, BuildOutcome) else self.image
        if source == NOT_YET:
            return outside.find_tagged(target, outside.session)
        if target.tag is None:
            raise PushError(f"{target} has no tag, and a push needs one", hint="add a tag, such as a version")
        registry, session = outside.registry, outside.session
        local = LocalImage.find(outside.engine, source)
        step = session.for_step()
        tagged = outside.find_tagged(target, step)
        if tagged is not None and local.is_served_as(target.with_digest(tagged), registry, step):
            return Pushable(target, local, step, tagged, None, served=True)
        index = local.index_to_copy(
            target, registry, step, is_own=lambda host: session.registry().sameness(host) is Sameness.SAME
        )
        if index is None:
            _spare_the_tag(local, outside.engine, session, target)
        served = tagged is not None and index is not None and index.digest == tagged
        return Pushable(target, local, step, tagged, index, served)

    def current(self, found: Pushable | str | None) -> str | None:
        return found.tagged if isinstance(found, Pushable) else found

    def wanted(self, found: Pushable | str | None) -> str | None:
        return found.tagged if isinstance(found, Pushable) and found.served else None

    def plan(self, outside: Outside, found: Pushable | str | None) -> PushOutcome:
        target = outside.reference(self.repository, self.tag)
        if isinstance(found, Pushable) and found.served:
            return _already_there(found)
        planned = PushOutcome(target, NOT_YET, self.tag, changed=True)
        outside.planned[str(target)] = planned
        return planned

    def plan_record(
        self, outside: Outside, found: Pushable | str | None, planned: PushOutcome
    ) -> dict[str, Any]:
        replaced = {"replaces": self.current(found)} if planned.changed else {}
        return {"image": planned.image, "digest": planned.digest, **replaced, "changed": planned.changed}

    def act(self, outside: Outside, found: Pushable, progress: ProgressSink) -> PushOutcome:
        if found.served:
            return _already_there(found)
        watched = Repeats(progress)
        try:
            claimed = _send(outside, found, watched)
        except (TagImmutable, PushError) as error:
            # ECR also refuses an image that is already there; and if a reply was lost, the push may have succeeded.
            served = _served(outside, found)
            if served is not None and _is_pushed(outside, found, served):
                return _outcome(found, served, watched)
            if isinstance(error, TagImmutable) or (
                served is not None and _is_immutable(outside.session, found.target)
            ):
                raise _immutable(
                    found.local, found.index, found.target, outside.registry, found.step, served or ""
                ) from error
            raise
        served = _served(outside, found)
        if served is None or not (served == claimed or _is_pushed(outside, found, served)):
            raise PushError(
                f"pushed {claimed or found.local.image_id} as {found.target},"
                f" but the registry serves {served or 'nothing'} under that tag",
                hint="somebody may have pushed the same tag meanwhile: look at the repository, then push again",
            )
        return replace(_outcome(found, served, watched), note=_note(found.local, found.index, served))

    def reached(self, outcome: PushOutcome) -> str:
        return outcome.digest


def _already_there(found: Pushable) -> PushOutcome:
    digest = found.tagged or ""
    return PushOutcome(found.target.with_digest(digest), digest, found.target.tag or "", changed=False)


def _outcome(found: Pushable, served: str, watched: Repeats) -> PushOutcome:
    return PushOutcome(
        found.target.with_digest(served),
        served,
        found.target.tag or "",
        changed=served != found.tagged,
        repeated=watched.repeats,
    )


def _served(outside: Outside, found: Pushable) -> str | None:
    return found.step.use(lambda token: outside.registry.find_digest(found.target, token))


def _is_pushed(outside: Outside, found: Pushable, served: str) -> bool:
    return found.local.is_served_as(found.target.with_digest(served), outside.registry, found.step)


def _send(outside: Outside, found: Pushable, progress: ProgressSink) -> str | None:
    """Send the image to the registry, and return the digest that the sender reports."""
    index, target, registry = found.index, found.target, outside.registry
    if index is not None:
        return found.step.use(
            lambda token: registry.copy_image(index, token, target, token, progress=progress)
        )
    outside.engine.tag(found.local.source, target)
    return _push(outside.engine, registry, outside.session, found.step, target, progress)


def _push(
    engine: Engine,
    registry: Registry,
    session: RegistrySession,
    step: StepSession,
    target: ImageReference,
    progress: ProgressSink,
) -> str | None:
    def once(token: AuthorizationToken) -> str | None:
        try:
            return engine.push(target, token, progress=progress)
        except PushError:
            # Engines differ in how much of the registry's reason they pass on. So the registry itself is asked whether the
            # token or the repository was the reason, and its refusal is raised instead of the engine's.
            with suppress(RegistryUnavailable):
                registry.find_digest(target, token)
            raise

    return persist("push", lambda: step.use(once), clock=session.clock, progress=progress)


def _is_immutable(session: RegistrySession, target: ImageReference) -> bool | None:
    """Whether ECR says that the tag cannot move; None if the request is refused."""
    with suppress(RegistryError):
        repository = session.ecr.find_repository(target.repository)
        return repository is not None and repository.tag_rule.is_immutable(target.tag or "")
    return None


def _spare_the_tag(
    local: LocalImage, engine: Engine, session: RegistrySession, target: ImageReference
) -> None:
    """Refuse an index that the engine would push image by image, if the tag would stay on the first of them."""
    facts = local.engine
    if not facts.ids_are_manifests or facts.pushes_indexes or not engine.holds_index(local.image_id):
        return
    if _is_immutable(session, target) is not False:
        raise PushError(
            f"{local.source} is an index, and {facts.name} {facts.version} would push each of its images under"
            f" {target.tag!r}, one after the other: an immutable tag would stay on the first",
            hint="push it with Docker 28.2 or newer, or build it without attestations (--provenance=false)",
        )


def _immutable(
    local: LocalImage,
    index: ImageReference | None,
    target: ImageReference,
    registry: Registry,
    step: StepSession,
    served: str,
) -> TagImmutable:
    """The error that says what the tag names and what was wanted, by the same kind of digest: before a push, many images only
    have an image id.
    """
    known = (each.digest for each in local.known_as if each.name == target.name and each.digest)
    digest = index.digest if index is not None else local.digest
    wanted = digest or min(known, default=None)
    theirs, ours = "", wanted or f"the local image with image id {local.image_id}"
    if digest is None:
        held = served and step.use(lambda token: registry.find_image_id(target.with_digest(served), token))
        theirs = f" (image id {held})" if held else ""
        ours = f"{wanted} (image id {local.image_id})" if wanted else ours
    return TagImmutable(
        f"tag {target.tag!r} of {target.name} names {served or 'another image'}{theirs}"
        f" and cannot be moved to {ours}: the repository's tags are immutable",
        standing=served,
        wanted=wanted,
        hint="push under a new tag",
    )


def _note(local: LocalImage, index: ImageReference | None, served: str) -> str:
    if index is not None:
        return f"the index {index} was copied with all its images, of which the engine may hold one"
    if local.digest not in (None, served):
        return f"{local.digest} is an index of which the engine holds one image, and pushed that one"
    return ""
