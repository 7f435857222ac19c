"""Settings from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecr_widgets.errors import SettingsError
from ecr_widgets.settings import Settings

LAYER0 = {"LAYER0_API_ENDPOINT": "https://layer0.example:8443/", "LAYER0_AUTH_TOKEN": "bGF5ZXIwOm5vaGF4cGx6"}


def test_an_empty_environment_has_no_layer0() -> None:
    """Without Layer0's variables there is no Layer0, and runs go to ./runs."""
    assert Settings.from_environment({}) == Settings(layer0=None, runs=Path("runs"))


def test_layer0_is_read_without_the_trailing_slash() -> None:
    """The endpoint is kept as scheme, host and port."""
    settings = Settings.from_environment(LAYER0)
    assert settings.layer0 is not None
    assert settings.layer0.endpoint == "https://layer0.example:8443"


def test_the_token_is_in_no_repr() -> None:
    """Printing the settings does not print the token."""
    assert LAYER0["LAYER0_AUTH_TOKEN"] not in repr(Settings.from_environment(LAYER0))


@pytest.mark.parametrize("endpoint", ["layer0.example", "ftp://x", "http://", "http://x:99999", "http://[x"])
def test_an_unusable_endpoint_is_refused_by_name(endpoint: str) -> None:
    """The error names the variable and the value."""
    with pytest.raises(SettingsError, match="LAYER0_API_ENDPOINT"):
        Settings.from_environment(LAYER0 | {"LAYER0_API_ENDPOINT": endpoint})


def test_an_endpoint_without_a_token_is_refused() -> None:
    """Half of Layer0's settings is an error."""
    with pytest.raises(SettingsError, match="LAYER0_AUTH_TOKEN"):
        Settings.from_environment({"LAYER0_API_ENDPOINT": "http://127.0.0.1:9090"})
