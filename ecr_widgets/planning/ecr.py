"""The upkeep of repositories and images as a plan."""

from __future__ import annotations

from collections.abc import Sequence

from ecr_widgets.errors import ImageNotFound
from ecr_widgets.kit.ecr import EcrSteps
from ecr_widgets.model.encryption import Encryption
from ecr_widgets.model.image_reference import ImageReference, check_repository_name, check_tag
from ecr_widgets.model.tag_rule import read_exceptions
from ecr_widgets.steps import image_deletion as deletion
from ecr_widgets.steps import image_upkeep as images
from ecr_widgets.steps import repository_upkeep as repositories
from ecr_widgets.steps.copy_image import CopyOutcome
from ecr_widgets.steps.create_repository import RepositoryOutcome


class EcrPlan(EcrSteps):
    """The steps that change something, looked at instead; deletions are planned by leaving their name out."""

    def change_repository(
        self,
        repository: str,
        *,
        tags_immutable: bool | None = None,
        scan_on_push: bool | None = None,
        tag_exceptions: str | Sequence[str] | None = None,
    ) -> RepositoryOutcome:
        """Say which settings would change."""
        repository = self._session.repository(repository)
        exceptions = None if tag_exceptions is None else read_exceptions(tag_exceptions)

        def look() -> RepositoryOutcome:
            standing = repositories.require_repository(self._to.ecr, repository)
            rule = repositories.wanted_rule(
                standing, tags_immutable=tags_immutable, tag_exceptions=exceptions
            )
            scan = standing.scan_on_push if scan_on_push is None else scan_on_push
            changed = (rule, scan) != (standing.tag_rule, standing.scan_on_push)
            return RepositoryOutcome(
                standing.name, standing.uri, rule.immutable, scan, changed, tag_exceptions=rule.exceptions
            )

        inputs: dict[str, object] = {"repository": repository, "tags_immutable": tags_immutable}
        inputs |= {"scan_on_push": scan_on_push}
        inputs |= {} if exceptions is None else {"tag_exceptions": exceptions}
        return self._recorder.plan("change_repository", inputs, look)

    def check_repository(
        self,
        repository: str,
        *,
        tags_immutable: bool,
        scan_on_push: bool,
        encryption: str = "",
        kms_key: str = "",
        tag_exceptions: str | Sequence[str] = "",
    ) -> RepositoryOutcome:
        """Check one that stands as a run would; one that is missing would be made with these settings."""
        repository = self._session.repository(repository)
        if self._to.ecr.find_repository(check_repository_name(repository)) is not None:
            return super().check_repository(
                repository,
                tags_immutable=tags_immutable,
                scan_on_push=scan_on_push,
                encryption=encryption,
                kms_key=kms_key,
                tag_exceptions=tag_exceptions,
            )
        inputs = {"repository": repository, "tags_immutable": tags_immutable, "scan_on_push": scan_on_push}
        asked = {"encryption": encryption, "kms_key": kms_key}

        def look() -> RepositoryOutcome:
            Encryption.parse(encryption, kms_key)
            return RepositoryOutcome(
                repository,
                f"{self._registry}/{repository}",
                tags_immutable,
                scan_on_push,
                changed=False,
                encryption=encryption or None,
                kms_key=kms_key or None,
                tag_exceptions=read_exceptions(tag_exceptions),
            )

        return self._recorder.plan(
            "check_repository", inputs | {name: value for name, value in asked.items() if value}, look
        )

    def set_lifecycle_policy(
        self, repository: str, policy: str | None = None, *, untagged_days: int = 0, keep_newest: int = 0
    ) -> repositories.LifecycleOutcome:
        """Say which policy stands and which would be set."""
        repository = self._session.repository(repository)

        def look() -> repositories.LifecycleOutcome:
            wanted = policy or repositories.simple_lifecycle_policy(
                untagged_days=untagged_days, keep_newest=keep_newest
            )
            # A repository that this plan would make has none yet.
            found = self._to.ecr.find_repository(check_repository_name(repository))
            standing = self._to.ecr.find_lifecycle_policy(repository) if found is not None else None
            if wanted is None:
                return repositories.LifecycleOutcome(repository, standing, standing, changed=False)
            same = standing is not None and repositories.equal_policies(standing, wanted)
            return repositories.LifecycleOutcome(repository, wanted, standing, changed=not same)

        inputs = {
            "repository": repository,
            "policy": policy,
            "untagged_days": untagged_days,
            "keep_newest": keep_newest,
        }
        return self._recorder.plan("set_lifecycle_policy", inputs, look)

    def delete_repository(
        self, repository: str, *, typed_name: str, with_images: bool = False
    ) -> repositories.DeletedRepositoryOutcome:
        """Say how many images would go with it, after the same checks."""
        repository, typed_name = self._typed(repository, typed_name)

        def look() -> repositories.DeletedRepositoryOutcome:
            repositories.check_typed_name(repository, typed_name)
            repositories.require_repository(self._to.ecr, repository)
            uses = self._uses(repository, lambda _: None)
            standing = repositories.check_unused_repository(self._to.ecr, repository, uses)
            return repositories.DeletedRepositoryOutcome(repository, len(standing), changed=True)

        inputs = {"repository": repository, "with_images": with_images}
        return self._recorder.plan("delete_repository", inputs, look)

    def tag_image(self, repository: str, reference: str, tag: str) -> images.TagOutcome:
        """Say what the tag names now."""
        repository = self._session.repository(repository)

        def look() -> images.TagOutcome:
            image = images.require_image(self._to.ecr, repository, reference)
            standing = self._to.ecr.find_image(repository, check_tag(tag))
            previous = standing.digest if standing is not None else None
            named = ImageReference(self._registry, repository, tag=tag).with_digest(image.digest)
            return images.TagOutcome(named, image.digest, tag, previous, changed=previous != image.digest)

        inputs = {"repository": repository, "reference": reference, "tag": tag}
        return self._recorder.plan("tag_image", inputs, look)

    def delete_images(
        self, repository: str, unused: deletion.UnusedOutcome | Sequence[str], *, typed_name: str
    ) -> deletion.DeletedImagesOutcome:
        """Say which would be deleted."""
        repository, typed_name = self._typed(repository, typed_name)
        digests = self._digests(unused)

        def look() -> deletion.DeletedImagesOutcome:
            deletion.check_confirmation(repository, typed_name)
            uses = self._uses(check_repository_name(repository), lambda _: None)
            return deletion.delete_images(
                self._to.ecr,
                repository,
                digests,
                uses,
                confirmed=False,
                spare_pulled_since=self._pulled_since(unused),
            )

        inputs = {"repository": repository, "digests": digests, "confirmed": typed_name == repository}
        return self._recorder.plan("delete_images", inputs, look)

    def copy_image(
        self,
        repository: str,
        reference: str,
        *,
        to_repository: str,
        to_tag: str,
        to_profile: str = "",
        to_region: str = "",
    ) -> CopyOutcome:
        """Say which digest would be copied, and what stands under the tag."""
        other = self.session_of(to_profile, to_region)
        repository = self._session.repository(repository)
        to_repository = other.repository(to_repository)

        def look() -> CopyOutcome:
            source = self._reference(self._session, repository, reference)
            digest = self._session.use(lambda token: self._to.registry.find_digest(source, token))
            if digest is None:
                raise ImageNotFound(f"{source} is not in its registry", hint="push it first")
            target = ImageReference(
                other.token().registry, check_repository_name(to_repository), tag=check_tag(to_tag)
            )
            standing = None
            if self.ecr_of(to_profile, to_region).find_repository(to_repository) is not None:
                standing = other.use(lambda token: self._to.registry.find_digest(target, token))
            pinned = ImageReference(source.registry, source.repository, digest=digest)
            return CopyOutcome(target.with_digest(digest), digest, to_tag, standing != digest, pinned)

        inputs = {
            "repository": repository,
            "reference": reference,
            "to_repository": to_repository,
            "to_tag": to_tag,
            "to_profile": to_profile,
            "to_region": to_region,
        }
        return self._recorder.plan("copy_image", inputs, look)
