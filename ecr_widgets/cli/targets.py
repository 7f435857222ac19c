"""How commands reach the deploy targets, and parse deploys and times that users write."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ecr_widgets.errors import EntityNotFound, InputError, SettingsError
from ecr_widgets.model.ecs_names import is_ecs
from ecr_widgets.model.services import Dialect
from ecr_widgets.settings import Settings
from ecr_widgets.steps.shared.nearest import nearest_of

if TYPE_CHECKING:
    from ecr_widgets.adapters.layer0.client import Layer0Api
    from ecr_widgets.ports.services import Services


OWN_ENVIRONMENT = "api"
"""The id of the environment that Layer0 itself and its jobs run in."""


def services_of(name: str | None) -> Services:
    """Return the deploy target of the environment, or of anything else, with this name or id; Layer0 if none is given.

    Raises:
        SettingsError: The target is not configured.
    """
    if name is None or not is_ecs(name):
        return client()
    from ecr_widgets.adapters.clock import SystemClock
    from ecr_widgets.adapters.ecs.client import BotoEcs

    return BotoEcs(SystemClock())


def client() -> Layer0Api:
    """Return the client for the Layer0 that the environment variables name.

    Raises:
        SettingsError: The variables are not set.
    """
    from ecr_widgets.adapters.layer0.client import Layer0Api

    settings = Settings.from_environment().layer0
    if settings is None:
        raise SettingsError(
            "LAYER0_API_ENDPOINT and LAYER0_AUTH_TOKEN are not set", hint="take both from `l0-setup endpoint`"
        )
    return Layer0Api(settings)


def moment(text: str | None) -> datetime | None:
    """Parse a time that a user wrote: `2026-11-23 17:00`, `2026-11-23T17:00:00Z`; UTC if no zone is given.

    Raises:
        InputError: Not a time.
    """
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"time {text!r} refused", hint="write 2026-11-23 17:00, which is UTC") from error
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def find_deploy(services: Services, text: str) -> str:
    """Return a deploy's id from a name, NAME:VERSION or an id; on ECS, FAMILY:REVISION is the id.

    Raises:
        EntityNotFound: No such deploy.
    """
    name, colon, version = text.partition(":")
    if colon and version != "latest":
        is_id = services.dialect() is Dialect.ECS
        return services.read_deploy(text if is_id else f"{name}.{version}").deploy_id
    if not colon and "." in text:
        return services.read_deploy(text).deploy_id
    latest = services.find_latest_deploy(name)
    if latest is None:
        raise EntityNotFound(
            f"{services.dialect()} stores no deploy {name!r}",
            hint=nearest_of(
                name, lambda: [each.name for each in services.list_all_deploys()], "create it first"
            ),
        )
    return latest.deploy_id
