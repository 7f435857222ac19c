"""The kit's steps for the upkeep of repositories and images, and for copies between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ecr_widgets.model.encryption import Encryption
from ecr_widgets.model.image_reference import ImageReference, check_repository_name, check_tag
from ecr_widgets.model.tag_rule import read_exceptions
from ecr_widgets.ports import Ecr, ProgressSink
from ecr_widgets.steps import image_deletion as deletion
from ecr_widgets.steps import image_upkeep as images
from ecr_widgets.steps import repository_upkeep as repositories
from ecr_widgets.steps.copy_image import CopyOutcome, copy_image
from ecr_widgets.steps.create_repository import RepositoryOutcome, check_repository
from ecr_widgets.steps.image_uses import UsesOutcome, find_uses
from ecr_widgets.steps.login import RegistrySession

if TYPE_CHECKING:
    from datetime import datetime

    from ecr_widgets.kit.connections import Connections
    from ecr_widgets.recording.recorder import Recorder
    from ecr_widgets.targets import Targets


class EcrSteps:
    """What `kit.ecr` gives: each call leaves its record."""

    def __init__(
        self, connections: Connections, recorder: Recorder, targets: Targets, session: RegistrySession
    ) -> None:
        self._to = connections
        self._recorder = recorder
        self._targets = targets
        self._session = session

    def change_repository(
        self,
        repository: str,
        *,
        tags_immutable: bool | None = None,
        scan_on_push: bool | None = None,
        tag_exceptions: str | Sequence[str] | None = None,
    ) -> RepositoryOutcome:
        """Bring the settings that are given to these values.

        Args:
            tag_exceptions: Patterns of the tags for which the opposite of `tags_immutable` holds, such as `dev-* test-*`;
                empty for none. Where some are excepted they must be said again with `tags_immutable`.

        Raises:
            InputError: It would drop exceptions without a word.
        """
        repository = self._session.repository(repository)
        exceptions = None if tag_exceptions is None else read_exceptions(tag_exceptions)
        return self._recorder.perform(
            "change_repository",
            {"repository": repository, "tags_immutable": tags_immutable, "scan_on_push": scan_on_push}
            | ({} if exceptions is None else {"tag_exceptions": exceptions}),
            lambda _: repositories.change_repository(
                self._to.ecr,
                repository,
                tags_immutable=tags_immutable,
                scan_on_push=scan_on_push,
                tag_exceptions=exceptions,
            ),
        )

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
        """Check that the repository stands with these settings, whoever made it.

        Args:
            encryption: `AES256` or `KMS`; empty where any will do.

            kms_key: With `KMS`: ARN or id of the key; empty for any. Which key an alias names is not looked up.

            tag_exceptions: Patterns of the tags for which the opposite of `tags_immutable` holds; empty where none may.
        """
        exceptions = read_exceptions(tag_exceptions)
        repository = self._session.repository(repository)
        asked = {"encryption": encryption, "kms_key": kms_key}
        return self._recorder.perform(
            "check_repository",
            {
                "repository": repository,
                "tags_immutable": tags_immutable,
                "scan_on_push": scan_on_push,
                **{name: value for name, value in asked.items() if value},
                **({"tag_exceptions": exceptions} if exceptions else {}),
            },
            lambda _: check_repository(
                self._to.ecr,
                repository,
                tag_exceptions=exceptions,
                tags_immutable=tags_immutable,
                scan_on_push=scan_on_push,
                encryption=Encryption.parse(encryption, kms_key),
            ),
        )

    def set_lifecycle_policy(
        self, repository: str, policy: str | None = None, *, untagged_days: int = 0, keep_newest: int = 0
    ) -> repositories.LifecycleOutcome:
        """Set the repository's lifecycle policy: the one given, else one of the two simple rules."""
        repository = self._session.repository(repository)
        return self._recorder.perform(
            "set_lifecycle_policy",
            {
                "repository": repository,
                "policy": policy,
                "untagged_days": untagged_days,
                "keep_newest": keep_newest,
            },
            lambda _: repositories.set_lifecycle_policy(
                self._to.ecr,
                repository,
                policy
                or repositories.simple_lifecycle_policy(untagged_days=untagged_days, keep_newest=keep_newest),
            ),
        )

    def delete_repository(
        self, repository: str, *, typed_name: str, with_images: bool = False
    ) -> repositories.DeletedRepositoryOutcome:
        """Delete a repository, its name typed once more; never while an image of it is used."""
        repository, typed_name = self._typed(repository, typed_name)

        def act(progress: ProgressSink) -> repositories.DeletedRepositoryOutcome:
            return repositories.delete_repository(
                self._to.ecr,
                repository,
                self._uses(repository, progress),
                typed_name=typed_name,
                with_images=with_images,
            )

        return self._recorder.perform(
            "delete_repository", {"repository": repository, "with_images": with_images}, act
        )

    def tag_image(self, repository: str, reference: str, tag: str) -> images.TagOutcome:
        """Set another tag on an image of the repository, without pulling it."""
        repository = self._session.repository(repository)

        def act(_: ProgressSink) -> images.TagOutcome:
            registry = self._registry
            target = self._targets.image(ImageReference(registry, repository, tag=check_tag(tag)))
            with self._targets.hold(target):
                outcome = images.tag_image(self._to.ecr, registry, repository, reference, tag)
                self._targets.note(target, outcome.digest)
            return outcome

        return self._recorder.perform(
            "tag_image", {"repository": repository, "reference": reference, "tag": tag}, act
        )

    def find_findings(self, repository: str, reference: str) -> images.FindingsOutcome:
        """What ECR's scan found in an image, by severity; without a reference in the one pushed last."""
        repository = self._session.repository(repository)
        return self._recorder.perform(
            "find_findings",
            {"repository": repository, "reference": reference},
            lambda _: images.find_findings(self._to.ecr, repository, reference),
        )

    def find_uses(self, repository: str) -> UsesOutcome:
        """Which Layer0 services, tasks and stored deploys use the repository's images."""
        repository = self._session.repository(repository)
        return self._recorder.perform(
            "find_uses",
            {"repository": repository},
            lambda progress: self._uses(check_repository_name(repository), progress),
        )

    def find_unused_images(
        self,
        repository: str,
        *,
        keep_newest: int = 10,
        older_than_days: float = 30.0,
        pulled_within_days: float = 14.0,
    ) -> deletion.UnusedOutcome:
        """Images that nothing runs or names, that are older, not among the newest, and were not pulled lately.

        Where anything that may use an image cannot be read, none is called unused, and `unknown` says why.

        Args:
            keep_newest: So many of the images pushed last stay; what belongs to an image is not counted.

            older_than_days: Only images pushed longer ago.

            pulled_within_days: What was pulled in the last days stays, whoever pulled it; 0 for none.
        """
        repository = self._session.repository(repository)
        return self._recorder.perform(
            "find_unused_images",
            {
                "repository": repository,
                "keep_newest": keep_newest,
                "older_than_days": older_than_days,
                "pulled_within_days": pulled_within_days,
            },
            lambda progress: deletion.find_unused_images(
                self._to.ecr,
                repository,
                self._uses(check_repository_name(repository), progress),
                keep_newest=keep_newest,
                older_than_days=older_than_days,
                pulled_within_days=pulled_within_days,
                now=self._to.clock.now(),
            ),
        )

    def delete_images(
        self, repository: str, unused: deletion.UnusedOutcome | Sequence[str], *, typed_name: str
    ) -> deletion.DeletedImagesOutcome:
        """Delete images with all that belongs to them; never one that is used, whatever was found earlier.

        Args:
            unused: What `find_unused_images` gave, or digests.

            typed_name: The repository's name once more; where it is empty nothing is deleted, and the record says what
                would be.

        Raises:
            InputError: Another name was typed.
        """
        repository, typed_name = self._typed(repository, typed_name)
        digests = self._digests(unused)

        def act(progress: ProgressSink) -> deletion.DeletedImagesOutcome:
            deletion.check_confirmation(repository, typed_name)
            # Looked at again: what was unused then may run now.
            uses = self._uses(check_repository_name(repository), progress)
            return deletion.delete_images(
                self._to.ecr,
                repository,
                digests,
                uses,
                confirmed=typed_name == repository,
                spare_pulled_since=self._pulled_since(unused),
            )

        return self._recorder.perform(
            "delete_images",
            {"repository": repository, "digests": digests, "confirmed": typed_name == repository},
            act,
        )

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
        """Copy an image to another repository: the same digest, no engine needed.

        Args:
            repository: Of the registry that is used; its host may stand in front.

            reference: Tag or digest.

            to_repository: Must exist. The host of the registry that `to_profile` and `to_region` lead to may stand in front.

            to_profile: AWS profile of the account to copy to; empty for this run's own.

            to_region: AWS region to copy to; empty for the profile's own.

        Raises:
            InvalidReference: One of the repositories is another registry's.
        """
        other = self.session_of(to_profile, to_region)
        repository = self._session.repository(repository)
        to_repository = other.repository(to_repository)

        def act(progress: ProgressSink) -> CopyOutcome:
            source = self._reference(self._session, repository, reference)
            copied_to = ImageReference(
                other.token().registry, check_repository_name(to_repository), tag=check_tag(to_tag)
            )
            target = self._targets.image(copied_to)
            with self._targets.hold(target):
                outcome = copy_image(
                    self._to.registry,
                    self._session,
                    source,
                    other,
                    copied_to,
                    before_change=lambda standing: self._targets.check(target, standing),
                    progress=progress,
                )
                self._targets.note(target, outcome.digest)
            return outcome

        inputs = {
            "repository": repository,
            "reference": reference,
            "to_repository": to_repository,
            "to_tag": to_tag,
            "to_profile": to_profile,
            "to_region": to_region,
        }
        return self._recorder.perform("copy_image", inputs, act)

    def ecr_of(self, profile: str, region: str) -> Ecr:
        """ECR of another account or region, where either is named."""
        if not profile and not region:
            return self._to.ecr
        return self._to.ecr_of(profile=profile or None, region=region or None)

    def name_of(self, image: ImageReference, *, profile: str = "", region: str = "") -> str:
        """The repository of a reference that a person gave, which must be of the registry that is used or name none.

        Raises:
            InvalidReference: It is another registry's.
        """
        if image.registry is None:
            return check_repository_name(image.repository)
        return self.session_of(profile, region).registry().own(image).repository

    def session_of(self, profile: str, region: str) -> RegistrySession:
        """A session with that registry; this run's own where neither is named."""
        if not profile and not region:
            return self._session
        return RegistrySession(self.ecr_of(profile, region), self._to.clock, on_secret=self._to.on_secret)

    @staticmethod
    def _digests(unused: deletion.UnusedOutcome | Sequence[str]) -> list[str]:
        if isinstance(unused, deletion.UnusedOutcome):
            return [image.digest for image in unused.deletable]
        return [*unused]

    def _pulled_since(self, unused: deletion.UnusedOutcome | Sequence[str]) -> datetime | None:
        """Since when a pull spares an image; images that somebody names go all the same."""
        if isinstance(unused, deletion.UnusedOutcome):
            return deletion.days_before(self._to.clock.now(), unused.pulled_within_days)
        return None

    def _typed(self, repository: str, typed_name: str) -> tuple[str, str]:
        """The repository's name, and the one that was typed to confirm: the same text twice is the same name."""
        name = self._session.repository(repository)
        return name, name if typed_name == repository else typed_name

    @property
    def _registry(self) -> str:
        return self._session.token().registry

    def _uses(self, repository: str, progress: ProgressSink) -> UsesOutcome:
        return find_uses(self._to.layer0, repository, registry=self._session.registry(), progress=progress)

    @staticmethod
    def _reference(session: RegistrySession, repository: str, reference: str) -> ImageReference:
        registry = session.token().registry
        check_repository_name(repository)
        if reference.startswith("sha256:"):
            return ImageReference.parse(f"{registry}/{repository}@{reference}")
        return ImageReference(registry, repository, tag=check_tag(reference))
