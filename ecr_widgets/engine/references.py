"""References among a run's parameters: those to another registry are refused before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ecr_widgets.errors import EcrWidgetsError, InputError, InvalidReference
from ecr_widgets.model.registry_host import OwnRegistry, host_in, registry_id_of, repository_name

_REPOSITORIES = ("repository", "to_repository")
_IN_IT = ("reference", "tag", "to_tag")
"""Parameters that name an image within its repository."""


def refuse_other_registries(values: Mapping[str, Any]) -> None:
    """Refuse a repository in another registry than the run's own; AWS is asked only if a value names a registry.

    The steps refuse it as well, but only once the run has started.

    Args:
        values: All parameters of the run, under the names that the shipped runbooks use.

    Raises:
        InvalidReference: Another registry, or a whole reference where a tag belongs.
    """
    if "repository" not in values:
        return
    for name in _IN_IT:
        if "/" in str(values.get(name)):
            raise InvalidReference(
                f"parameter {name!r} refused: {values[name]!r} is neither tag nor digest",
                hint="give the part before the last colon as the repository",
            )
    for name in _REPOSITORIES:
        given = values.get(name)
        if isinstance(given, str) and host_in(given) is not None:
            which = ("to_profile", "to_region") if name == "to_repository" else ()
            _check(given, *(str(values.get(each) or "") or None for each in which))


def _check(repository: str, profile: str | None = None, region: str | None = None) -> None:
    from ecr_widgets.adapters.boto_ecr import BotoEcr

    ecr = BotoEcr(profile=profile, region=region)

    def own() -> OwnRegistry:
        host = ecr.authorization_token().registry
        return OwnRegistry(host, registry_id_of(host) or ecr.registry_id())

    try:
        repository_name(
            repository,
            own,
            exists=lambda name: ecr.find_repository(name) is not None,
            creates_on_pull=ecr.creates_on_pull,
        )
    except InputError:
        raise
    except EcrWidgetsError:
        return  # the run cannot reach AWS either, and its first step will report that
