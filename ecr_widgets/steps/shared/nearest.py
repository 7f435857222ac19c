"""Hints for names that do not exist, from the names that do."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ecr_widgets.errors import EcrWidgetsError, RepositoryNotFound
from ecr_widgets.model.image_parts import subject_of
from ecr_widgets.model.nearest import did_you_mean
from ecr_widgets.ports import Ecr


def nearest_of(name: str, names: Callable[[], Iterable[str]], otherwise: str) -> str:
    """The nearest of the names, or else another hint, also if they cannot be listed."""
    try:
        return did_you_mean(name, names(), otherwise)
    except EcrWidgetsError:
        return otherwise


def nearest_repository(ecr: Ecr, repository: str, otherwise: str) -> str:
    """The nearest repositories of the registry."""
    return nearest_of(repository, lambda: [each.name for each in ecr.list_repositories()], otherwise)


def nearest_tag(ecr: Ecr, repository: str, tag: str, otherwise: str) -> str:
    """The nearest tags of a repository; if that does not exist, the nearest repositories."""
    try:
        images = [image for page in ecr.list_images(repository) for image in page]
        tags = [tag for image in images if subject_of(image) is None for tag in image.tags]
    except RepositoryNotFound:
        return nearest_repository(ecr, repository, otherwise)
    except EcrWidgetsError:
        return otherwise
    return did_you_mean(tag, tags, otherwise)
