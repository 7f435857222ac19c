"""The values that a form offers for a parameter: what exists now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ecr_widgets.errors import EcrWidgetsError

if TYPE_CHECKING:
    from ecr_widgets.kit import Kit

_MOST = 500


class Choices:
    """Repositories, tags, environments and services.

    Args:
        kit: Returns the kit to ask; called when something is offered for the first time.
    """

    def __init__(self, kit: Callable[[], Kit]) -> None:
        self._made = kit
        self._kit: Kit | None = None

    def of(self, parameter: str, typed: Mapping[str, str]) -> tuple[str, ...]:
        """Values for a parameter, tags newest first; none if the parameter is not known, or they cannot be read.

        Args:
            typed: Values of all parameters: tags depend on the repository, services on the environment.
        """
        try:
            return self._of(parameter, typed)[:_MOST]
        except EcrWidgetsError:
            return ()

    def _of(self, parameter: str, typed: Mapping[str, str]) -> tuple[str, ...]:
        if parameter not in ("repository", "tag", "reference", "environment", "service"):
            return ()
        self._kit = self._kit or self._made()
        look = self._kit.look
        if parameter == "repository":
            return tuple(sorted(each.name for each in look.repositories()))
        if parameter == "environment":
            return look.environments()
        if parameter == "service":
            environment = typed.get("environment", "")
            return look.services(environment) if environment else ()
        repository = typed.get("repository", "")
        images = [image for page in look.images(repository) for image in page] if repository else []
        images.sort(key=lambda each: each.pushed_at, reverse=True)
        return tuple(tag for image in images for tag in image.tags)
