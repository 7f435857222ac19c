"""Copy an image from one repository to another: the same digest, in this registry or in another account's or region's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ecr_widgets.errors import ImageNotFound, RegistryError, TagImmutable
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.ports import ProgressSink, Registry, ignore_progress
from ecr_widgets.steps.login import RegistrySession
from ecr_widgets.steps.push_image import PushOutcome
from ecr_widgets.steps.repeats import Repeats


@dataclass(frozen=True, slots=True)
class CopyOutcome(PushOutcome):
    """The copy; `image` names it by digest."""

    source: ImageReference


def copy_image(
    registry: Registry,
    source_session: RegistrySession,
    source: ImageReference,
    target_session: RegistrySession,
    target: ImageReference,
    *,
    before_change: Callable[[str | None], None] = lambda _: None,
    progress: ProgressSink = ignore_progress,
) -> CopyOutcome:
    """Copy the image, layers that the target has left out; where the tag names that image already, nothing is sent.

    Args:
        source: By tag or digest.

        target: Tagged; its repository must exist.

        before_change: Told the digest that stands under the tag, right before it is replaced; may raise.

    Raises:
        ImageNotFound: The source has no such image.

        RepositoryNotFound: One of the repositories does not exist.

        TagImmutable: The tag names another image and must not move.

        AuthorizationError: A token was refused, and so was a new one.
    """
    if target.tag is None:
        raise RegistryError(f"{target} has no tag, and a copy needs one", hint="add a tag, such as a version")
    from_step = source_session.for_step()
    to_step = from_step if target_session is source_session else target_session.for_step()
    digest = from_step.use(lambda token: registry.find_digest(source, token))
    if digest is None:
        raise ImageNotFound(f"{source} is not in its registry", hint="push it first, or check tag and digest")
    pinned = ImageReference(source.registry, source.repository, digest=digest)
    standing = to_step.use(lambda token: registry.find_digest(target, token))
    if standing == digest:
        return CopyOutcome(target.with_digest(digest), digest, target.tag, changed=False, source=pinned)
    before_change(standing)
    watched = Repeats(progress)

    def copy() -> str:
        return from_step.use(
            lambda ours: to_step.use(
                lambda theirs: registry.copy_image(pinned, ours, target, theirs, progress=watched)
            )
        )

    try:
        copy()
    except TagImmutable as error:
        raise TagImmutable(
            f"tag {target.tag!r} of {target.name} names {standing} and cannot be moved to {digest}:"
            " the repository's tags are immutable",
            standing=standing or "",
            wanted=digest,
            hint="copy under a new tag",
        ) from error
    served = to_step.use(lambda token: registry.find_digest(target, token))
    if served != digest:
        raise RegistryError(
            f"copied {digest} to {target}, but its registry serves {served or 'nothing'} under that tag",
            hint="somebody may have pushed the same tag meanwhile: look at the repository, then copy again",
        )
    return CopyOutcome(
        target.with_digest(digest),
        digest,
        target.tag,
        changed=True,
        source=pinned,
        repeated=watched.told,
    )
