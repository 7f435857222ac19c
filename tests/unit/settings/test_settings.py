"""Settings from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecr_widgets.connections import connect
from ecr_widgets.errors import SettingsError
from ecr_widgets.settings import Settings

LAYER0 = {"LAYER0_API_ENDPOINT": "https://layer0.example:8443/", "LAYER0_AUTH_TOKEN": "bGF5ZXIwOm5vaGF4cGx6"}


def test_an_empty_environment_has_no_layer0() -> None:
    """Without Layer0's variables there is no Layer0, and runs are saved to ./runs."""
    settings = Settings.from_environment({})
    assert (settings.layer0, settings.runs) == (None, Path("runs"))


def test_layer0_is_read_without_the_trailing_slash() -> None:
    """The endpoint is kept as scheme, host and port."""
    settings = Settings.from_environment(LAYER0)
    assert settings.layer0 is not None
    assert settings.layer0.endpoint == "https://layer0.example:8443"


def test_the_token_is_in_no_repr() -> None:
    """Layer0's token is not in the settings' repr."""
    assert LAYER0["LAYER0_AUTH_TOKEN"] not in repr(Settings.from_environment(LAYER0))


def test_a_home_folder_in_a_setting_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` in the variables for runs and for the policy is the user's home, although no shell has replaced it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = Settings.from_environment({"ECR_WIDGETS_RUNS": "~/runs", "ECR_WIDGETS_POLICY": "~/gate.yaml"})
    assert (settings.runs, settings.policy) == (tmp_path / "runs", tmp_path / "gate.yaml")


@pytest.mark.parametrize("endpoint", ["layer0.example", "ftp://x", "http://", "http://x:99999", "http://[x"])
def test_an_unusable_endpoint_is_refused_by_name(endpoint: str) -> None:
    """An unusable endpoint is refused by the variable's name."""
    with pytest.raises(SettingsError, match="LAYER0_API_ENDPOINT"):
        _ = Settings.from_environment(LAYER0 | {"LAYER0_API_ENDPOINT": endpoint}).layer0


def test_an_endpoint_without_a_token_is_refused() -> None:
    """An endpoint without a token is refused."""
    with pytest.raises(SettingsError, match="LAYER0_AUTH_TOKEN"):
        _ = Settings.from_environment({"LAYER0_API_ENDPOINT": "http://127.0.0.1:9090"}).layer0


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9090", "layer0.example", "http://[x"])
def test_who_needs_no_layer0_needs_no_settings_for_it(endpoint: str) -> None:
    """With incomplete Layer0 settings the kit still connects; its first call to Layer0 is an error that names the variable."""
    kit = connect(environ={"LAYER0_API_ENDPOINT": endpoint})
    assert kit.run_id
    with pytest.raises(SettingsError, match="LAYER0_"):
        kit.layer0.scale_environment("demo")


def test_the_targets_that_may_use_an_image_are_both_unless_they_are_named() -> None:
    """Both targets are searched for uses of an image unless some are named, and an unknown target is refused."""
    assert Settings.from_environment({}).targets == {"layer0", "ecs"}
    assert Settings.from_environment({"ECR_WIDGETS_TARGETS": " Layer0 "}).targets == {"layer0"}
    with pytest.raises(SettingsError, match="give layer0, ecs, or both"):
        Settings.from_environment({"ECR_WIDGETS_TARGETS": "layer0,k8s"})
