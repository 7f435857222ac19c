"""Push a local image to the registry and pin what the registry then serves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ecr_widgets.errors import ImageNotFound, PushError, TagImmutable
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.ports import Engine, Progress, ProgressSink, Registry, ignore_progress
from ecr_widgets.steps.login import RegistrySession, StepSession
from ecr_widgets.steps.repeats import Repeats


@dataclass(frozen=True, slots=True)
class PushOutcome:
    """The image in the registry; `image` names it by digest."""

    image: ImageReference
    digest: str
    tag: str
    changed: bool
    repeated: tuple[str, ...] = field(default=(), kw_only=True)
    """What of the transfer had to be tried again, and why: one text for each further try."""


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

    The digest is the registry's own word: what the engine claims is compared with what the registry serves.

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
    image_id = engine.find_image_id(source)
    if image_id is None:
        raise ImageNotFound(f"no local image {source!r} on the engine", hint="build or pull it first")
    step = session.for_step()
    standing = step.use(lambda token: registry.find_digest(target, token))
    known = {
        reference.digest
        for reference in engine.pushed_digests(image_id)
        if reference.name == target.name and reference.digest is not None
    }
    if standing is not None and standing in known:
        return PushOutcome(target.with_digest(standing), standing, target.tag, changed=False)
    before_change(standing)
    engine.tag(source, target)
    watched = Repeats(progress)
    try:
        claimed = _push(engine, step, target, watched)
    except TagImmutable as error:
        # ECR refuses the same image, too. The engine may not know that it is: somebody else pushed it, or the reply to
        # our own push was lost.
        named = step.use(lambda token: registry.find_digest(target, token)) or error.standing
        held = named and step.use(lambda token: registry.find_image_id(target.with_digest(named), token))
        if held == image_id:
            return PushOutcome(
                target.with_digest(named), named, target.tag, changed=named != standing, repeated=watched.told
            )
        # An image has no digest before a registry took it; what both have is an image id, the digest of the config.
        theirs = f" (image id {held})" if held else ""
        ours = f"{min(known)} (image id {image_id})" if known else f"the local image with image id {image_id}"
        raise TagImmutable(
            f"tag {target.tag!r} of {target.name} names {named}{theirs} and cannot be moved to {ours}:"
            " the repository's tags are immutable",
            standing=named,
            wanted=min(known, default=None),
            hint="push under a new tag",
        ) from error
    served = step.use(lambda token: registry.find_digest(target, token))
    if served != claimed:
        raise PushError(
            f"pushed {claimed} as {target}, but the registry serves {served or 'nothing'} under that tag",
            hint="somebody may have pushed the same tag meanwhile: look at the repository, then push again",
        )
    return PushOutcome(
        target.with_digest(claimed), claimed, target.tag, changed=served != standing, repeated=watched.told
    )


def _push(engine: Engine, step: StepSession, target: ImageReference, progress: ProgressSink) -> str:
    try:
        return step.use(lambda token: engine.push(target, token, progress=progress))
    except PushError as error:
        if not error.retryable:
            raise
        progress(Progress("push", f"once more, since {error}", again=True))
        # Safe to do twice: what the registry has is not sent again, and the tag gets the same digest.
        return step.use(lambda token: engine.push(target, token, progress=progress))
