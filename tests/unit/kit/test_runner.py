"""How steps are performed: with a target that may be lost."""

from __future__ import annotations

import pytest

from ecr_widgets.errors import OutcomeUnknown, TargetBusy
from ecr_widgets.kit import Kit
from tests.fakes import World
from tests.fakes.connections import FakeConnections


@pytest.mark.parametrize("answers", [0, 1])
def test_whoever_lost_the_target_changes_nothing(
    kit: Kit, to: FakeConnections, world: World, answers: int
) -> None:
    """Asked before the intent and once more before the change; the record says who holds the target now."""
    to.layer0.create_service("demo24e9e412", "web", "web.2")
    before = list(world.changes)
    to.locks.lease.held_for = answers
    with pytest.raises(TargetBusy, match=r"no longer held by this run.*: run run-0 on other-host holds it"):
        kit.deploy_service("demo", "web", "web.7")
    assert world.changes == before
    assert [each.state for each in kit.recorder.records] == ["failed"]
    assert kit.recorder.records[0].error["type"] == "TargetBusy"


def test_what_came_of_a_change_is_unknown_where_the_target_was_lost_meanwhile(
    kit: Kit, to: FakeConnections, world: World
) -> None:
    """Another run may have changed it too, so that no outcome is claimed; where nothing was changed there is no doubt."""
    to.layer0.create_service("demo24e9e412", "web", "web.2")
    to.locks.lease.held_for = 2
    with pytest.raises(OutcomeUnknown, match="was lost to another run while it was being changed"):
        kit.deploy_service("demo", "web", "web.7")
    to.locks.lease.held_for = 2
    kit.deploy_service("demo", "web", "web.7")
    assert [each.state for each in kit.recorder.records] == ["unknown", "succeeded"]
