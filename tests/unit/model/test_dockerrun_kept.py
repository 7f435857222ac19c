"""What a record keeps of a Dockerrun."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ecr_widgets.model.dockerrun import Dockerrun
from ecr_widgets.model.dockerrun_kept import kept_settings


def kept(**container: Any) -> dict[str, str]:
    document = {"containerDefinitions": [{"name": "web", "image": "app:1", "memory": 64} | container]}
    return dict(kept_settings(Dockerrun.parse(json.dumps(document).encode())))


def test_every_setting_is_kept_by_the_names_of_its_container() -> None:
    """The image comes first; what Layer0 and ECS add by themselves is none."""
    told = kept(
        essential=True, command=["serve", "8080"], portMappings=[{"containerPort": 80, "hostPort": 8080}]
    )
    assert list(told.items()) == [
        ("containerDefinitions/web/image", "app:1"),
        ("containerDefinitions/web/command", '["serve", "8080"]'),
        ("containerDefinitions/web/memory", "64"),
        ("containerDefinitions/web/portMappings", '[{"containerPort": 80, "hostPort": 8080}]'),
    ]


def test_no_value_of_an_environment_variable_is_kept() -> None:
    """Not even one that looks harmless: nobody can tell."""
    told = kept(environment=[{"name": "MODE", "value": "hunter2"}, {"name": "EMPTY", "value": ""}])
    assert "hunter2" not in str(told)
    assert {
        told["containerDefinitions/web/environment/MODE"],
        told["containerDefinitions/web/environment/EMPTY"],
    } == {"***"}


@pytest.mark.parametrize(
    "container",
    [
        {"command": ["run", "--db-password", "hunter2"]},
        {"command": ["run", "--db-password=hunter2"]},
        {"command": ["sh", "-c", "API_TOKEN=hunter2 run"]},
        {"command": ["run", "aB3hunter2aB3hunter2aB3"]},
        {"command": ["run", "https://me:hunter2@db.test/"]},
        {"entryPoint": ["run", "-secret", "hunter2"]},
        {"dockerLabels": {"deploy-key": "hunter2"}},
        {"logConfiguration": {"logDriver": "splunk", "options": {"splunk-token": "hunter2"}}},
    ],
    ids=lambda container: json.dumps(container)[:50],
)
def test_what_is_named_or_looks_like_a_secret_is_masked(container: dict[str, Any]) -> None:
    """Its place is kept, its value is not."""
    told = json.dumps(kept(**container))
    assert "hunter2" not in told
    assert "***" in told


def test_ordinary_arguments_are_kept_as_they_are() -> None:
    """A mask where none is due hides what a review wants to see."""
    command = ["serve", "--listen", "0.0.0.0:8080", "--workers=4", "/usr/local/bin/start.sh"]
    assert json.loads(kept(command=command)["containerDefinitions/web/command"]) == command
