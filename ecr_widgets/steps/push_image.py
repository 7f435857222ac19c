"""Push a local image to the registry and pin what the registry then serves."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from ecr_widgets.errors import PushError, RegistryError, RegistryUnavailable, TagImmutable
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.registry_host import Sameness
from ecr_widgets.ports import Engine, Progress, ProgressSink, Registry, ignore_progress
from ecr_widgets.steps.local_image import LocalImage
from ecr_widgets.steps.login import RegistrySession, StepSession
from ecr_widgets.steps.repeats import Repeats

_PAUSES_S = (1.0, 2.0, 4.0)
"""Before each further try of a push that failed for the moment, in seconds."""


@dataclass(frozen=True, slots=True)
class PushOutcome:
    """The image in the registry; `image` names it by digest."""

    image: ImageReference
    digest: str
    tag: str
    changed: bool
    repeated: tuple[str, ...] = field(default=(), kw_only=True)
    """What of the transfer had to be tried again, and why: one text for each further try."""
    note: str = field(default="", kw_only=True)
    """What else there is to know of what was pushed; mostly nothing."""


def push_image(
    engine: Engine,
    registry: Registry,
    session: RegistrySession,
    source: str,
    target: ImageReference,
    *,
    before_change: Callable[[str | None], None] = lambda _: None,
    progress: ProgressSink = ignore_progress,
) -> PushOutcome:
    """Tag the local image and push it; where the registry serves just that image under the tag, nothing is sent.

    What was pushed is the registry's word, before and after; what the engine says is a check. An index is copied from
    where the registry has it: an engine holds, and would push, one of its images.

    Args:
        source: Local image, by name or id.

        target: Tagged reference in the registry.

        before_change: Told the digest that stands under the tag, right before it is replaced; may raise.

    Raises:
        ImageNotFound: No such local image.

        RepositoryNotFound: The repository does not exist.

        TagImmutable: The tag names another image and must not move.

        AuthorizationError: The token was refused, and so was a new one.

        PushError: The engine reported a failure, or engine and registry disagree.

    Source: Docker Engine API, ImagePush; OCI distribution specification, "Pushing manifests".
    """
    if target.tag is None:
        raise PushError(f"{target} has no tag, and a push needs one", hint="add a tag, such as a version")
    local = LocalImage.find(engine, source)
    step = session.for_step()
    standing = step.use(lambda token: registry.find_digest(target, token))
    if standing is not None and local.is_served_as(target.with_digest(standing), registry, step):
        return PushOutcome(target.with_digest(standing), standing, target.tag, changed=False)
    index = local.index_to_copy(
        target, registry, step, is_own=lambda host: session.registry().sameness(host) is Sameness.SAME
    )
    if standing is not None and index is not None and index.digest == standing:
        return PushOutcome(target.with_digest(standing), standing, target.tag, changed=False)
    if index is None:
        _spare_the_tag(local, engine, session, target)
    before_change(standing)
    watched = Repeats(progress)
    claimed: str | None
    try:
        if index is not None:
            claimed = step.use(
                lambda token: registry.copy_image(index, token, target, token, progress=watched)
            )
        else:
            engine.tag(source, target)
            claimed = _push(engine, registry, session, step, target, watched)
    except (TagImmutable, PushError) as error:
        # ECR refuses the same image, too; and a reply that was lost leaves a push that succeeded.
        served = step.use(lambda token: registry.find_digest(target, token))
        if served is not None and local.is_served_as(target.with_digest(served), registry, step):
            return PushOutcome(
                target.with_digest(served),
                served,
                target.tag,
                changed=served != standing,
                repeated=watched.told,
            )
        if isinstance(error, TagImmutable) or (served is not None and _is_immutable(session, target)):
            raise _immutable(local, index, target, registry, step, served or "") from error
        raise
    served = step.use(lambda token: registry.find_digest(target, token))
    if served is None or not (
        served == claimed or local.is_served_as(target.with_digest(served), registry, step)
    ):
        raise PushError(
            f"pushed {claimed or local.image_id} as {target},"
            f" but the registry serves {served or 'nothing'} under that tag",
            hint="somebody may have pushed the same tag meanwhile: look at the repository, then push again",
        )
    return PushOutcome(
        target.with_digest(served),
        served,
        target.tag,
        changed=served != standing,
        repeated=watched.told,
        note=_note(local, index, served),
    )


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
            # Engines differ in how much of the registry's reason they pass on. Whether the token or the repository was
            # it is asked of the registry itself, whose refusal is raised in place of the engine's.
            with suppress(RegistryUnavailable):
                registry.find_digest(target, token)
            raise

    for pause_s in _PAUSES_S:
        try:
            return step.use(once)
        except PushError as error:
            if not error.retryable:
                raise
            progress(Progress("push", f"once more after {pause_s:g} s, since {error}", again=True))
            session.clock.sleep(pause_s)
    # Safe to do again: what the registry has is not sent twice, and the tag gets the same digest.
    return step.use(once)


def _is_immutable(session: RegistrySession, target: ImageReference) -> bool | None:
    """Whether ECR says so; None where it may not be asked."""
    with suppress(RegistryError):
        repository = session.ecr.find_repository(target.repository)
        return repository is not None and repository.tag_rule.is_immutable(target.tag or "")
    return None


def _spare_the_tag(
    local: LocalImage, engine: Engine, session: RegistrySession, target: ImageReference
) -> None:
    """Refuse an index that the engine would push image by image under a tag that stays where it is first."""
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
    """What stands and what was wanted, by the same kind of digest: before a push many an image has no other."""
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
