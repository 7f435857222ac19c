"""Make sure that a repository stands."""

from __future__ import annotations

from dataclasses import dataclass

from ecr_widgets.errors import RepositoryNotFound, VerifyError
from ecr_widgets.model.image_reference import check_repository_name
from ecr_widgets.ports import Ecr


@dataclass(frozen=True, slots=True)
class RepositoryOutcome:
    """The repository as it stands after the step."""

    repository: str
    uri: str
    tags_immutable: bool
    scan_on_push: bool
    changed: bool


def create_repository(
    ecr: Ecr, name: str, *, create: bool = True, tags_immutable: bool = False, scan_on_push: bool = True
) -> RepositoryOutcome:
    """Create the repository where it is missing; one that stands is left as it is, its settings included.

    Args:
        create: Whether it may be created; where not, a missing one is an error.

        tags_immutable: For a new repository: whether its tags can be moved.

        scan_on_push: For a new repository: whether ECR scans each push.

    Raises:
        InvalidReference: ECR would refuse the name.

        RepositoryNotFound: It is missing and must not be created.
    """
    check_repository_name(name)
    repository, created = ecr.find_repository(name), False
    if repository is None:
        if not create:
            raise missing(name)
        repository, created = ecr.create_repository(
            name, tags_immutable=tags_immutable, scan_on_push=scan_on_push
        )
    return RepositoryOutcome(
        repository.name, repository.uri, repository.tags_immutable, repository.scan_on_push, created
    )


def check_repository(ecr: Ecr, name: str, *, tags_immutable: bool, scan_on_push: bool) -> RepositoryOutcome:
    """Check that the repository stands with these settings: one that stood before keeps its own.

    Raises:
        RepositoryNotFound: It does not stand.

        VerifyError: It has other settings; the message names them.
    """
    standing = ecr.find_repository(check_repository_name(name))
    if standing is None:
        raise RepositoryNotFound(f"repository {name!r} does not exist", hint="create it first")
    differ = [
        f"{setting} is {str(has).lower()} and not {str(wanted).lower()}"
        for setting, has, wanted in (
            ("tags_immutable", standing.tags_immutable, tags_immutable),
            ("scan_on_push", standing.scan_on_push, scan_on_push),
        )
        if has is not wanted
    ]
    if differ:
        raise VerifyError(
            f"repository {name!r} has other settings: {', '.join(differ)}",
            hint="change them with kit.ecr.change_repository or the repositories panel, or give those that stand",
        )
    return RepositoryOutcome(
        standing.name, standing.uri, standing.tags_immutable, standing.scan_on_push, changed=False
    )


def missing(name: str) -> RepositoryNotFound:
    """The error where a repository is missing and must not be created."""
    return RepositoryNotFound(
        f"repository {name!r} does not exist and creating it is switched off",
        hint="check the name and the region, or allow creation",
    )
