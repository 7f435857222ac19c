"""What the Layer0 commands share: the client, and deploys and times as people write them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ecr_widgets.errors import EntityNotFound, InputError, SettingsError
from ecr_widgets.settings import Settings

if TYPE_CHECKING:
    from ecr_widgets.adapters.layer0.client import Layer0Api


OWN_ENVIRONMENT = "api"
"""Id of the environment that Layer0 itself and its jobs run in."""


def client() -> Layer0Api:
    """The client for the Layer0 that the environment's variables name.

    Raises:
        SettingsError: They name none.
    """
    from ecr_widgets.adapters.layer0.client import Layer0Api

    settings = Settings.from_environment().layer0
    if settings is None:
        raise SettingsError(
            "LAYER0_API_ENDPOINT and LAYER0_AUTH_TOKEN are not set", hint="take both from `l0-setup endpoint`"
        )
    return Layer0Api(settings)


def moment(text: str | None) -> datetime | None:
    """A time as people write it: `2026-11-23 17:00`, `2026-11-23T17:00:00Z`, UTC where no zone is given.

    Raises:
        InputError: It is not a time.
    """
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"time {text!r} refused", hint="write 2026-11-23 17:00, which is UTC") from error
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def find_deploy(layer0: Layer0Api, text: str) -> str:
    """Id of a deploy by name, NAME:VERSION or id.

    Raises:
        EntityNotFound: There is none.
    """
    name, colon, version = text.partition(":")
    if colon and version != "latest":
        return layer0.read_deploy(f"{name}.{version}").deploy_id
    if not colon and "." in text:
        return layer0.read_deploy(text).deploy_id
    latest = layer0.find_latest_deploy(name)
    if latest is None:
        raise EntityNotFound(f"deploy {name!r} does not exist in this Layer0", hint="create it first")
    return latest.deploy_id
