"""Create a repository if it does not exist."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import ClassVar, Self

from ecr_widgets.errors import RepositoryNotFound
from ecr_widgets.model.encryption import Encryption
from ecr_widgets.model.image_reference import check_repository_name
from ecr_widgets.model.registry import Repository
from ecr_widgets.model.tag_rule import read_exceptions
from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.shared.nearest import nearest_repository
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.repository_settings import RepositoryOutcome, outcome_of
from ecr_widgets.steps.step import Step, if_given


@dataclass(frozen=True)
class CreateRepository(Step[Repository | None, RepositoryOutcome]):
    """Create the repository if it does not exist; an existing one is left as it is, including its settings.

    Settings can be changed later. Encryption cannot, so an existing repository with another encryption is an error.

    Args:
        repository: Its name, with or without the host of the registry that is used.

        create: Whether it may be created; if not, a missing one is an error.

        tags_immutable: For a new repository: whether its tags can never be moved.

        scan_on_push: For a new repository: whether ECR scans each push.

        encryption: `AES256` or `KMS`, permanently; empty if any will do: a new one gets AES256.

        kms_key: With `KMS`: ARN, id or alias of the key; empty for AWS's own for ECR.

        tag_exceptions: For a new repository: patterns of the tags for which the opposite of `tags_immutable` holds, such as
            `dev-* test-*`; empty for none.

        profile: AWS profile of the account that it is in; empty for this run's own.

        region: AWS region that it is in; empty for the profile's own.

    Raises:
        InvalidReference: ECR would refuse the name, or it is another registry's.

        InputError: An encryption or a key that ECR would refuse.

        RepositoryNotFound: It is missing and must not be created.

        VerifyError: It exists with a different encryption.
    """

    asks: ClassVar = ("ECR: CreateRepository",)

    repository: str
    _: KW_ONLY
    create: bool = True
    tags_immutable: bool = False
    scan_on_push: bool = True
    encryption: str = if_given("")
    kms_key: str = if_given("")
    tag_exceptions: str | Sequence[str] = if_given("")
    profile: str = if_given("")
    region: str = if_given("")

    def resolved(self, outside: Outside) -> Self:
        return replace(
            self,
            repository=outside.session_of(self.profile, self.region).repository(self.repository),
            tag_exceptions=read_exceptions(self.tag_exceptions),
        )

    @property
    def wanted_encryption(self) -> Encryption | None:
        """The encryption that it must have; None if any will do."""
        return Encryption.parse(self.encryption, self.kms_key)

    def look(self, outside: Outside, progress: ProgressSink) -> Repository | None:
        check_repository_name(self.repository)
        encryption = self.wanted_encryption
        existing = outside.ecr_of(self.profile, self.region).find_repository(self.repository)
        if existing is not None:
            outcome_of(existing, encryption, changed=False)
        elif not self.create:
            raise RepositoryNotFound(
                f"repository {self.repository!r} does not exist and creating it is switched off",
                hint=nearest_repository(
                    outside.ecr_of(self.profile, self.region),
                    self.repository,
                    "check the name and the region, or allow creation",
                ),
            )
        return existing

    def plan(self, outside: Outside, found: Repository | None) -> RepositoryOutcome:
        if found is not None:
            return outcome_of(found, self.wanted_encryption, changed=False)
        host = outside.session_of(self.profile, self.region).token().registry
        made = RepositoryOutcome(
            self.repository,
            f"{host}/{self.repository}",
            self.tags_immutable,
            self.scan_on_push,
            changed=True,
            encryption=self.encryption or None,
            kms_key=self.kms_key or None,
            tag_exceptions=tuple(self.tag_exceptions),
        )
        outside.planned[outside.repository_key(self.repository, self.profile, self.region)] = made
        return made

    def act(self, outside: Outside, found: Repository | None, progress: ProgressSink) -> RepositoryOutcome:
        if found is not None:
            return outcome_of(found, self.wanted_encryption, changed=False)
        made, created = outside.ecr_of(self.profile, self.region).create_repository(
            self.repository,
            tags_immutable=self.tags_immutable,
            scan_on_push=self.scan_on_push,
            encryption=self.wanted_encryption,
            tag_exceptions=tuple(self.tag_exceptions),
        )
        # A new one is checked as well: somebody else may have made it meanwhile, and some servers of ECR's API ignore settings.
        return outcome_of(made, self.wanted_encryption, changed=created)
