"""What the Layer0 verbs share: the client, and times as people write them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ecr_widgets.errors import InputError, SettingsError
from ecr_widgets.settings import Settings

if TYPE_CHECKING:
    from ecr_widgets.adapters.layer0.client import Layer0Api


def client() -> Layer0Api:
    """The client for what the environment names.

    Raises:
        SettingsError: It names no Layer0.
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
        InputError: It is no time.
    """
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"time {text!r} refused", hint="write 2026-11-23 17:00, which is UTC") from error
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
