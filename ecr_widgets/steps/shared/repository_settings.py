"""A repository's settings: what a step says of them, and what was asked for otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from ecr_widgets.errors import RepositoryNotFound, VerifyError
from ecr_widgets.model.encryption import Encryption
from ecr_widgets.model.image_reference import check_repository_name
from ecr_widgets.model.registry import Repository
from ecr_widgets.ports import Ecr

CANNOT_CHANGE = (
    "encryption cannot be changed after creation: ask for the one that it has, or create another repository and"
    " copy the images there"
)


@dataclass(frozen=True, slots=True)
class RepositoryOutcome:
    """The repository as it is after the step."""

    repository: str
    uri: str
    tags_immutable: bool
    scan_on_push: bool
    changed: bool
    encryption: str | None = None
    """Where one was asked for: what ECR says of it."""
    kms_key: str | None = None
    """Where an encryption was asked for: ARN of the key, as ECR gives it."""
    tag_exceptions: tuple[str, ...] = ()
    """Patterns of the tags for which the opposite of `tags_immutable` holds."""


def outcome_of(repository: Repository, encryption: Encryption | None, *, changed: bool) -> RepositoryOutcome:
    """What a step says of a repository that exists.

    Args:
        encryption: What was asked for; None where nothing was, and nothing is said of it.

    Raises:
        VerifyError: It is encrypted in another way.
    """
    differs = other_encryption(repository, encryption)
    if differs:
        raise VerifyError(
            f"repository {repository.name!r} already exists, and its {differs[0]}", hint=CANNOT_CHANGE
        )
    asked = encryption is not None
    return RepositoryOutcome(
        repository.name,
        repository.uri,
        repository.tags_immutable,
        repository.scan_on_push,
        changed,
        repository.encryption if asked else None,
        repository.kms_key if asked else None,
        repository.tag_exceptions,
    )


def other_encryption(repository: Repository, wanted: Encryption | None) -> tuple[str, ...]:
    """How its encryption differs from the one that was asked for, in one sentence; nothing where it does not."""
    has = Encryption(repository.encryption, repository.kms_key)
    if wanted is None or wanted.is_met_by(has):
        return ()
    return (f"encryption is {has} and not {wanted}",)


def require_repository(ecr: Ecr, name: str) -> Repository:
    """The repository of that name.

    Raises:
        RepositoryNotFound: There is none.
    """
    found = ecr.find_repository(check_repository_name(name))
    if found is None:
        raise RepositoryNotFound(f"repository {name!r} does not exist", hint="check the name and the region")
    return found
