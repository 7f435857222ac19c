"""Services that are created if they do not exist, and moved if they run another deploy."""

from __future__ import annotations

import pytest

from ecr_widgets.errors import EntityNotFound
from ecr_widgets.steps.deploy_service import DeployService
from ecr_widgets.steps.shared.outside import Outside
from tests.fakes import World
from tests.fakes.connections import perform
from tests.unit.steps.deployed import OTHER, deployed


def test_a_service_is_created_then_left_alone_then_updated(outside: Outside, world: World) -> None:
    """A service is created, then left alone, then updated to another deploy."""
    assert deployed(outside).changed
    again = deployed(outside)
    assert (again.changed, again.previous_deploy_id) == (False, "timeout.1")
    moved = deployed(outside, OTHER)
    assert (moved.changed, moved.previous_deploy_id, moved.deploy_id) == (True, "timeout.1", "timeout.2")
    assert world.changes[1:] == [
        "create service timeoutsvc",
        "create deploy timeout.2",
        "update service to timeout.2",
    ]


def test_an_unknown_environment_is_named(outside: Outside) -> None:
    """An environment that does not exist is named in the error."""
    with pytest.raises(EntityNotFound, match="'staging' does not exist"):
        perform(DeployService("staging", "timeoutsvc", "timeout.1"), outside)
