"""A repository's settings: what a step reports about them, and how they differ from what was asked for."""

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
    """What ECR reports, if an encryption was asked for."""
    kms_key: str | None = None
    """ARN of the key as ECR reports it, if an encryption was asked for."""
    tag_exceptions: tuple[str, ...] = ()
    """Patterns of the tags for which the opposite of `tags_immutable` holds."""


def outcome_of(repository: Repository, encryption: Encryption | None, *, changed: bool) -> RepositoryOutcome:
    """What a step reports about a repository that exists.

    Args:
        encryption: What was asked for; None if nothing was, so that nothing is reported about it.

    Raises:
        VerifyError: It is encrypted differently.
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
    """How its encryption differs from the one that was asked for, in one sentence; empty if it does not."""
    has = Encryption(repository.encryption, repository.kms_key)
    if wanted is None or wanted.is_met_by(has):
        return ()
    return (f"encryption is {has} and not {wanted}",)


def require_repository(ecr: Ecr, name: str) -> Repository:
    """The repository of that name.

    Raises:
        RepositoryNotFound: No such repository.
    """
    repository = ecr.find_repository(check_repository_name(name))
    if repository is None:
        raise RepositoryNotFound(f"repository {name!r} does not exist", hint="check the name and the region")
    return repository
