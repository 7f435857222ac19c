"""Make sure that a repository stands."""

from __future__ import annotations

from dataclasses import dataclass

from ecr_widgets.errors import RepositoryNotFound, VerifyError
from ecr_widgets.model.encryption import Encryption
from ecr_widgets.model.image_reference import check_repository_name
from ecr_widgets.model.registry import Repository
from ecr_widgets.model.tag_rule import TagRule
from ecr_widgets.ports import Ecr

_FOR_GOOD = (
    "encryption cannot be changed after creation: ask for the one that stands, or create another repository and"
    " copy the images there"
)


@dataclass(frozen=True, slots=True)
class RepositoryOutcome:
    """The repository as it stands after the step."""

    repository: str
    uri: str
    tags_immutable: bool
    scan_on_push: bool
    changed: bool
    encryption: str | None = None
    """Where one was asked for: what ECR tells of it."""
    kms_key: str | None = None
    """Where an encryption was asked for: ARN of the key, as ECR tells it."""
    tag_exceptions: tuple[str, ...] = ()
    """Patterns of the tags for which the opposite of `tags_immutable` holds."""


def create_repository(
    ecr: Ecr,
    name: str,
    *,
    create: bool = True,
    tags_immutable: bool = False,
    scan_on_push: bool = True,
    encryption: Encryption | None = None,
    tag_exceptions: tuple[str, ...] = (),
) -> RepositoryOutcome:
    """Create the repository where it is missing; one that stands is left as it is, its settings included.

    Settings can be changed later. Encryption cannot, so one that stands with another than was asked for is an error.

    Args:
        create: Whether it may be created; where not, a missing one is an error.

        tags_immutable: For a new repository: whether its tags can be moved.

        scan_on_push: For a new repository: whether ECR scans each push.

        tag_exceptions: For a new repository: patterns of the tags for which the opposite of `tags_immutable` holds.

        encryption: How it has to be encrypted; None where that is all the same: a new one gets ECR's own choice.

    Raises:
        InvalidReference: ECR would refuse the name.

        RepositoryNotFound: It is missing and must not be created.

        VerifyError: It stands with another encryption.
    """
    check_repository_name(name)
    repository, created = ecr.find_repository(name), False
    if repository is None:
        if not create:
            raise missing(name)
        repository, created = ecr.create_repository(
            name,
            tags_immutable=tags_immutable,
            scan_on_push=scan_on_push,
            encryption=encryption,
            tag_exceptions=tag_exceptions,
        )
    # Of a new one as well: somebody else may have made it meanwhile, and not all that speaks ECR's API keeps all of it.
    return outcome_of(repository, encryption, changed=created)


def outcome_of(standing: Repository, encryption: Encryption | None, *, changed: bool) -> RepositoryOutcome:
    """What a step tells of a repository that stands.

    Args:
        encryption: What was asked for; None where nothing was, and nothing is told of it.

    Raises:
        VerifyError: It is encrypted in another way.
    """
    if encryption is None:
        return RepositoryOutcome(
            standing.name,
            standing.uri,
            standing.tags_immutable,
            standing.scan_on_push,
            changed,
            tag_exceptions=standing.tag_exceptions,
        )
    differs = _other_encryption(standing, encryption)
    if differs:
        raise VerifyError(f"repository {standing.name!r} stands, and its {differs[0]}", hint=_FOR_GOOD)
    return RepositoryOutcome(
        standing.name,
        standing.uri,
        standing.tags_immutable,
        standing.scan_on_push,
        changed,
        standing.encryption,
        standing.kms_key,
        standing.tag_exceptions,
    )


def check_repository(
    ecr: Ecr,
    name: str,
    *,
    tags_immutable: bool,
    scan_on_push: bool,
    encryption: Encryption | None = None,
    tag_exceptions: tuple[str, ...] = (),
) -> RepositoryOutcome:
    """Check that the repository stands with these settings: one that stood before keeps its own.

    Args:
        encryption: None where any will do.

    Raises:
        RepositoryNotFound: It does not stand.

        VerifyError: It has other settings; the message names them.
    """
    standing = ecr.find_repository(check_repository_name(name))
    if standing is None:
        raise RepositoryNotFound(f"repository {name!r} does not exist", hint="create it first")
    wanted = TagRule(tags_immutable, tag_exceptions)
    differ = []
    if standing.tags_immutable is not tags_immutable:
        differ.append(f"tags_immutable is {_word(standing.tags_immutable)} and not {_word(tags_immutable)}")
    if {*standing.tag_exceptions} != {*tag_exceptions}:
        differ.append(f"the rule for tags is '{standing.tag_rule}' and not '{wanted}'")
    if standing.scan_on_push is not scan_on_push:
        differ.append(f"scan_on_push is {_word(standing.scan_on_push)} and not {_word(scan_on_push)}")
    for_good = _other_encryption(standing, encryption)
    if differ or for_good:
        raise VerifyError(
            f"repository {name!r} has other settings: {', '.join((*differ, *for_good))}",
            hint=_FOR_GOOD
            if for_good
            else "change them with kit.ecr.change_repository or the repositories panel, or give those that stand",
        )
    return outcome_of(standing, encryption, changed=False)


def _word(setting: bool) -> str:  # noqa: FBT001 -- a value, not a switch
    return str(setting).lower()


def _other_encryption(standing: Repository, wanted: Encryption | None) -> tuple[str, ...]:
    has = Encryption(standing.encryption, standing.kms_key)
    if wanted is None or wanted.is_met_by(has):
        return ()
    return (f"encryption is {has} and not {wanted}",)


def missing(name: str) -> RepositoryNotFound:
    """The error where a repository is missing and must not be created."""
    return RepositoryNotFound(
        f"repository {name!r} does not exist and creating it is switched off",
        hint="check the name and the region, or allow creation",
    )
