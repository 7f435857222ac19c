"""Dockerruns that are stored as deploys, each content once."""

from __future__ import annotations

import json

import pytest

from ecr_widgets.errors import InputError, InvalidDockerrun
from ecr_widgets.steps.shared.outside import Outside
from tests.fakes import World
from tests.fakes.connections import FakeConnections
from tests.unit.steps.deployed import IMAGE, OTHER, stored


def test_an_equal_dockerrun_is_stored_once(outside: Outside, world: World) -> None:
    """The second call finds the stored deploy; another image makes another."""
    first, again, other = (stored(outside, image) for image in (IMAGE, IMAGE, OTHER))
    assert [first.changed, again.changed, other.changed] == [True, False, True]
    assert (first.deploy_id, again.deploy_id, other.deploy_id) == ("timeout.1", "timeout.1", "timeout.2")
    assert world.changes == ["create deploy timeout.1", "create deploy timeout.2"]


def test_a_record_lists_no_setting_that_was_not_stored(
    outside: Outside, to: FakeConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older Layer0 knows fewer members; what it did not store is a warning."""
    store = to.layer0.create_deploy
    monkeypatch.setattr(
        to.layer0,
        "create_deploy",
        lambda name, content: store(name, content.replace(b'"user":"app",', b"")),
    )
    container = {"name": "timeout", "image": "x", "user": "app", "memory": 10}
    made = stored(outside, dockerrun=json.dumps({"containerDefinitions": [container]}))
    assert made.warnings == ("Layer0 did not store /containerDefinitions/0/user as it is",)
    assert "containerDefinitions/timeout/memory" in made.settings
    assert "containerDefinitions/timeout/user" not in made.settings


def test_a_stored_document_of_another_form_is_passed_over(outside: Outside, to: FakeConnections) -> None:
    """What others stored under the name, however odd, does not stop the step."""
    to.layer0.create_deploy("timeout", b'{"containerDefinitions": [{"odd": 1}]}')
    made = stored(outside)
    assert (made.deploy_id, made.changed) == ("timeout.2", True)


@pytest.mark.parametrize("name", ["", "a.b", "a b", "a/b", "ä"])
def test_a_deploy_name_that_layer0_refuses_is_refused_here(outside: Outside, world: World, name: str) -> None:
    """Nothing is stored under a name that cannot be used."""
    with pytest.raises(InputError, match="deploy name"):
        stored(outside, name=name)
    assert world.changes == []


def test_an_unknown_container_is_refused(outside: Outside) -> None:
    """The image is never set in a container that was not meant."""
    with pytest.raises(InvalidDockerrun, match="it has: timeout"):
        stored(outside, container="web")
