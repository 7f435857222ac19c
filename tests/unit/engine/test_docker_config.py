"""A run's own Docker configuration, made from the user's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ecr_widgets.engine.docker_config import private_docker_config
from ecr_widgets.errors import SettingsError
from ecr_widgets.settings.engine_address import find_engine_address

HOST = {"DOCKER_HOST": "tcp://192.0.2.1:2375"}


@pytest.mark.parametrize("content", ['{"currentContext": "build",}', "[]"])
def test_a_configuration_that_cannot_be_used_names_no_other_engine(tmp_path: Path, content: str) -> None:
    """A run does not fall back to the default engine: who asks for the engine is told which file of the user's is wrong."""
    users = tmp_path / "users"
    users.mkdir()
    (users / "config.json").write_text(content)
    own = private_docker_config(tmp_path / "own", {"DOCKER_CONFIG": str(users)})
    assert isinstance(json.loads((tmp_path / "own" / "config.json").read_bytes()), dict)
    with pytest.raises(SettingsError, match=rf"{users}/config\.json .*; make the file readable"):
        find_engine_address(own)
    assert find_engine_address(own | HOST).host == HOST["DOCKER_HOST"]


def test_an_empty_configuration_is_none(tmp_path: Path) -> None:
    """A file without content, or no file, is a configuration without settings."""
    for name, content in (("empty", ""), ("gone", None)):
        users = tmp_path / name
        users.mkdir()
        if content is not None:
            (users / "config.json").write_text(content)
        own = private_docker_config(tmp_path / f"own-{name}", {"DOCKER_CONFIG": str(users)})
        assert json.loads(Path(own["DOCKER_CONFIG"], "config.json").read_bytes()) == {}
