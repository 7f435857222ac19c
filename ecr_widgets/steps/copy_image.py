"""Copy an image from one repository to another: the same digest, in this registry or in another account's or region's."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import ClassVar, Self

from ecr_widgets.errors import AuthorizationError, ImageNotFound, RegistryError, TagImmutable
from ecr_widgets.model.image_parts import EVIDENCE
from ecr_widgets.model.image_reference import ImageReference, check_repository_name, check_tag
from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.check_evidence import CheckEvidence
from ecr_widgets.steps.push_image import PushOutcome
from ecr_widgets.steps.shared.evidence_gate import GateOutcome
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.registry_session import RegistrySession, StepSession
from ecr_widgets.steps.shared.repeats import Repeats
from ecr_widgets.steps.step import Step


@dataclass(frozen=True, slots=True)
class CopyOutcome(PushOutcome):
    """The copy; `image` names it by digest."""

    source: ImageReference


@dataclass(frozen=True, slots=True)
class Copyable:
    """What was found before the copy."""

    source: ImageReference
    """By digest."""
    digest: str
    target: ImageReference
    tagged: str | None
    """The digest that the target's tag names now."""
    evidence: tuple[str, ...]
    """Digests of signatures and attestations of the image that the target does not have."""
    from_step: StepSession
    to_step: StepSession


@dataclass(frozen=True)
class CopyImage(Step[Copyable, CopyOutcome]):
    """Copy an image to another repository: the same digest, no engine needed; layers that the target has are not sent again.

    Signatures and attestations of the image are copied along, unchanged.

    Args:
        repository: In the registry that is used, with or without its host.

        reference: Tag or digest.

        to_repository: Must exist; with or without the host of the registry that `to_profile` and `to_region` lead to.

        to_profile: AWS profile of the account to copy to; empty for this run's own.

        to_region: AWS region to copy to; empty for the profile's own.

    Raises:
        InvalidReference: One of the repositories is another registry's.

        ImageNotFound: The source has no such image.

        RepositoryNotFound: One of the repositories does not exist.

        TagImmutable: The tag names another image and must not move.

        AuthorizationError: A token was refused, and so was a new one.
    """

    asks: ClassVar = ("registry: blob uploads", "registry: PUT manifest")

    repository: str
    reference: str
    _: KW_ONLY
    to_repository: str
    to_tag: str
    to_profile: str = ""
    to_region: str = ""

    def resolved(self, outside: Outside) -> Self:
        return replace(
            self,
            repository=outside.session.repository(self.repository),
            to_repository=self._other(outside).repository(self.to_repository),
        )

    def gated(self, outside: Outside) -> CheckEvidence | None:
        source = outside.reference(self.repository, self.reference)
        digest = source.digest or outside.session.use(
            lambda token: outside.registry.find_digest(source, token)
        )
        if digest is None:
            return None  # the look reports that
        target = self._copy(outside)
        return CheckEvidence(
            image=ImageReference(source.registry, source.repository, digest=digest),
            to_repository=f"{target.registry}/{target.repository}",
        )

    def pinned(self, outside: Outside, checked: GateOutcome) -> Self:
        # So a tag that is moved meanwhile changes nothing.
        digests = [image.rpartition("@")[2] for image in checked.images]
        return replace(self, reference=digests[0]) if digests else self

    def _other(self, outside: Outside) -> RegistrySession:
        return outside.session_of(self.to_profile, self.to_region)

    def _copy(self, outside: Outside) -> ImageReference:
        """Where the copy goes, by tag."""
        host = self._other(outside).token().registry
        return ImageReference(host, check_repository_name(self.to_repository), tag=check_tag(self.to_tag))

    def holds(self, outside: Outside) -> str:
        return outside.targets.image(self._copy(outside))

    def look(self, outside: Outside, progress: ProgressSink) -> Copyable:
        other = self._other(outside)
        from_step = outside.session.for_step()
        to_step = from_step if other is outside.session else other.for_step()
        source = outside.reference(self.repository, self.reference)
        digest = from_step.use(lambda token: outside.registry.find_digest(source, token))
        if digest is None:
            raise ImageNotFound(
                f"{source} is not in its registry", hint="push it first, or check tag and digest"
            )
        target = self._copy(outside)
        tagged = outside.find_tagged(target, to_step, self.to_profile, self.to_region)
        pinned = ImageReference(source.registry, source.repository, digest=digest)
        there = _evidence(outside, target.with_digest(digest), to_step)
        evidence = tuple(each for each in _evidence(outside, pinned, from_step) if each not in there)
        return Copyable(pinned, digest, target, tagged, evidence, from_step, to_step)

    def current(self, found: Copyable) -> str | None:
        return found.tagged

    def wanted(self, found: Copyable) -> str | None:
        return found.digest

    def plan(self, outside: Outside, found: Copyable) -> CopyOutcome:
        outcome = _outcome(found, changed=found.tagged != found.digest or bool(found.evidence))
        # What is proven about it is found where it is copied from.
        outside.planned[str(replace(outcome.image, tag=None))] = outcome
        return outcome

    def act(self, outside: Outside, found: Copyable, progress: ProgressSink) -> CopyOutcome:
        repeated = () if found.tagged == found.digest else self._copy_image(outside, found, progress)
        for each in found.evidence:
            referrer = found.source.with_digest(each)
            found.from_step.use(
                lambda ours, referrer=referrer: found.to_step.use(  # type: ignore[misc]
                    lambda theirs: outside.registry.copy_referrer(referrer, ours, found.target, theirs)
                )
            )
        changed = found.tagged != found.digest or bool(found.evidence)
        return replace(_outcome(found, changed=changed), repeated=repeated)

    def _copy_image(self, outside: Outside, found: Copyable, progress: ProgressSink) -> tuple[str, ...]:
        """Copy the image itself, and return what had to be retried."""
        watched = Repeats(progress)
        try:
            found.from_step.use(
                lambda ours: found.to_step.use(
                    lambda theirs: outside.registry.copy_image(
                        found.source, ours, found.target, theirs, progress=watched
                    )
                )
            )
        except TagImmutable as error:
            raise TagImmutable(
                f"tag {found.target.tag!r} of {found.target.name} names {found.tagged} and cannot be moved to"
                f" {found.digest}: the repository's tags are immutable",
                standing=found.tagged or "",
                wanted=found.digest,
                hint="copy under a new tag",
            ) from error
        served = found.to_step.use(lambda token: outside.registry.find_digest(found.target, token))
        if served != found.digest:
            raise RegistryError(
                f"copied {found.digest} to {found.target}, but its registry serves {served or 'nothing'} under that tag",
                hint="somebody may have pushed the same tag meanwhile: look at the repository, then copy again",
            )
        return watched.repeats

    def reached(self, outcome: CopyOutcome) -> str:
        return outcome.digest


def _outcome(found: Copyable, *, changed: bool) -> CopyOutcome:
    tag = found.target.tag or ""
    note = f"with {len(found.evidence)} of its signatures and attestations" if found.evidence else ""
    return CopyOutcome(
        found.target.with_digest(found.digest), found.digest, tag, changed, source=found.source, note=note
    )


def _evidence(outside: Outside, image: ImageReference, step: StepSession) -> tuple[str, ...]:
    """Digests of the signatures and attestations of an image; none if its registry does not list any."""
    try:
        listed = step.use(lambda token: outside.registry.list_referrers(image, token))
    except RegistryError as error:
        if error.retryable or isinstance(error, AuthorizationError):
            raise
        # Images are also copied from and to registries that do not support such lists.
        return ()
    return tuple(each.digest for each in listed.entries if each.artifact_type in EVIDENCE)
