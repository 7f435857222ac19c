"""Settings, lifecycle and deletion of a repository."""

from __future__ import annotations

import json
from dataclasses import dataclass

from ecr_widgets.errors import ImageInUse, InputError, RegistryError, RepositoryNotFound
from ecr_widgets.model.image_reference import check_repository_name
from ecr_widgets.model.registry import Image, Repository
from ecr_widgets.model.tag_rule import TagRule
from ecr_widgets.ports import Ecr
from ecr_widgets.steps.create_repository import RepositoryOutcome
from ecr_widgets.steps.image_deletion import check_unused
from ecr_widgets.steps.image_upkeep import list_all
from ecr_widgets.steps.image_uses import UsesOutcome, read_parts, used_images


@dataclass(frozen=True, slots=True)
class LifecycleOutcome:
    """The repository's lifecycle policy."""

    repository: str
    policy: str | None
    previous: str | None
    changed: bool


@dataclass(frozen=True, slots=True)
class DeletedRepositoryOutcome:
    """The repository that is gone."""

    repository: str
    images: int
    """How many went with it."""
    changed: bool


def change_repository(
    ecr: Ecr,
    name: str,
    *,
    tags_immutable: bool | None = None,
    scan_on_push: bool | None = None,
    tag_exceptions: tuple[str, ...] | None = None,
) -> RepositoryOutcome:
    """Bring the settings that are given to these values.

    Args:
        tag_exceptions: Patterns of the tags for which the opposite holds; none for no exceptions any more.

    Raises:
        InputError: Some tags are excepted, and nothing was said about what becomes of these.

        RepositoryNotFound: There is no such repository.
    """
    standing = require_repository(ecr, name)
    wanted = wanted_rule(standing, tags_immutable=tags_immutable, tag_exceptions=tag_exceptions)
    rule = None if wanted == standing.tag_rule else wanted
    wanted_scan = None if scan_on_push == standing.scan_on_push else scan_on_push
    changed = rule is not None or wanted_scan is not None
    if changed:
        ecr.change_repository(name, tag_rule=rule, scan_on_push=wanted_scan)
        standing = require_repository(ecr, name)
    return RepositoryOutcome(
        standing.name,
        standing.uri,
        standing.tags_immutable,
        standing.scan_on_push,
        changed,
        tag_exceptions=standing.tag_exceptions,
    )


def wanted_rule(
    standing: Repository, *, tags_immutable: bool | None, tag_exceptions: tuple[str, ...] | None
) -> TagRule:
    """The rule for tags that is asked for; what is None stays.

    Raises:
        InputError: Some tags are excepted, and nothing was said about what becomes of these.
    """
    if tags_immutable is not None and tag_exceptions is None and standing.tag_exceptions:
        told = ", ".join(standing.tag_exceptions)
        raise InputError(
            f"repository {standing.name!r} was not changed: its tags are '{standing.tag_rule}', and this would drop {told}",
            hint=f"say what becomes of the exceptions: tag_exceptions='' drops them, '{told}' keeps them",
        )
    return TagRule(
        standing.tags_immutable if tags_immutable is None else tags_immutable,
        standing.tag_exceptions if tag_exceptions is None else tag_exceptions,
    )


def simple_lifecycle_policy(*, untagged_days: int = 0, keep_newest: int = 0) -> str | None:
    """A lifecycle policy of the two rules that most need, as JSON text; None where neither is asked for.

    Args:
        untagged_days: Images without a tag expire after so many days; 0 leaves the rule out.

        keep_newest: Of all images only so many, pushed last, stay; 0 leaves the rule out.

    Raises:
        InputError: A number below 0.
    """
    if untagged_days < 0 or keep_newest < 0:
        raise InputError(
            f"untagged_days is {untagged_days} and keep_newest {keep_newest}", hint="give 0 or more"
        )
    rules: list[dict[str, object]] = []
    if untagged_days:
        rules.append(
            {
                "rulePriority": 1,
                "description": f"untagged images expire after {untagged_days} "
                + ("day" if untagged_days == 1 else "days"),
                "selection": {
                    "tagStatus": "untagged",
                    "countType": "sinceImagePushed",
                    "countUnit": "days",
                    "countNumber": untagged_days,
                },
                "action": {"type": "expire"},
            }
        )
    if keep_newest:
        rules.append(
            {
                "rulePriority": 2,
                "description": f"all images but the newest {keep_newest} expire",
                "selection": {
                    "tagStatus": "any",
                    "countType": "imageCountMoreThan",
                    "countNumber": keep_newest,
                },
                "action": {"type": "expire"},
            }
        )
    return json.dumps({"rules": rules}) if rules else None


def set_lifecycle_policy(ecr: Ecr, name: str, policy: str | None) -> LifecycleOutcome:
    """Set the repository's lifecycle policy; an equal one is left alone.

    Args:
        policy: JSON text, as ECR's documentation describes it; `simple_lifecycle_policy` makes one. None leaves what
            stands.

    Raises:
        InputError: It is no JSON object with rules.

        RepositoryNotFound: There is no such repository.

        RegistryError: ECR refused it.
    """
    if policy is not None:
        _parsed(policy)
    require_repository(ecr, name)
    standing = ecr.find_lifecycle_policy(name)
    if policy is None:
        return LifecycleOutcome(name, standing, standing, changed=False)
    if standing is not None and equal_policies(standing, policy):
        return LifecycleOutcome(name, policy, standing, changed=False)
    ecr.set_lifecycle_policy(name, policy)
    return LifecycleOutcome(name, policy, standing, changed=True)


def delete_repository(
    ecr: Ecr, name: str, uses: UsesOutcome, *, typed_name: str, with_images: bool = False
) -> DeletedRepositoryOutcome:
    """Delete a repository; one that is gone is no error.

    Args:
        uses: What Layer0 runs and stores of the repository.

        typed_name: The name once more: a deletion cannot be taken back.

        with_images: Whether the images in it may go with it.

    Raises:
        InputError: `typed_name` is another one.

        ImageInUse: An image of it runs, a stored deploy names it, or nobody can tell.

        RegistryError: It holds images and these must not go.
    """
    check_repository_name(name)
    check_typed_name(name, typed_name)
    if ecr.find_repository(name) is None:
        return DeletedRepositoryOutcome(name, 0, changed=False)
    images = check_unused_repository(ecr, name, uses)
    if images and not with_images:
        raise RegistryError(
            f"repository {name!r} holds {len(images)} images",
            hint="delete them first, or allow it (with_images)",
        )
    ecr.delete_repository(name, with_images=with_images)
    return DeletedRepositoryOutcome(name, len(images), changed=True)


def check_unused_repository(ecr: Ecr, name: str, uses: UsesOutcome) -> list[Image]:
    """Make sure that nothing uses the repository, and give back its images.

    Raises:
        ImageInUse: The message names what does.
    """
    images = list_all(ecr, name)
    used = used_images(images, uses, read_parts(ecr, name, images))
    check_unused(name, (image.digest for image in images), used, uses)
    for use in uses.running:
        raise ImageInUse(
            f"repository {name!r} must not be deleted: {use.by} runs {use.image}",
            hint="end what runs it first",
        )
    return images


def check_typed_name(name: str, typed_name: str) -> None:
    """Make sure that the repository is meant.

    Raises:
        InputError: Another name was typed.
    """
    if typed_name != name:
        raise InputError(
            f"to delete repository {name!r}, its name must be typed once more, not {typed_name!r}",
            hint="a deletion cannot be taken back",
        )


def equal_policies(one: str, other: str) -> bool:
    """Whether two lifecycle policies say the same, however they are written."""
    return _parsed(one) == _parsed(other)


def require_repository(ecr: Ecr, name: str) -> Repository:
    """The repository of that name.

    Raises:
        RepositoryNotFound: There is none.
    """
    found = ecr.find_repository(check_repository_name(name))
    if found is None:
        raise RepositoryNotFound(f"repository {name!r} does not exist", hint="check the name and the region")
    return found


def _parsed(policy: str) -> object:
    try:
        parsed = json.loads(policy)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the lifecycle policy is no JSON: {error}") from error
    if not isinstance(parsed, dict) or not isinstance(parsed.get("rules"), list) or not parsed["rules"]:
        raise InputError(
            "the lifecycle policy has no rules", hint='it begins {"rules": [{"rulePriority": 1, …'
        )
    return parsed
