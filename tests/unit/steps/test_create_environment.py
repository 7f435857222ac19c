"""Environments that are created if they do not exist."""

from __future__ import annotations

from ecr_widgets.errors import OutcomeUnknown
from ecr_widgets.steps.create_environment import CreateEnvironment
from ecr_widgets.steps.shared.outside import Outside
from tests.fakes import FakeLayer0, World
from tests.fakes.connections import FakeConnections, perform


def test_an_environment_is_created_once(outside: Outside) -> None:
    """An environment is created once; the second call finds it."""
    first, second = (perform(CreateEnvironment("prod", min_count=1), outside) for _ in "ab")
    assert (first.changed, second.changed) == (True, False)
    assert first.environment_id == second.environment_id


def test_an_environment_whose_reply_was_lost_is_found(
    outside: Outside, to: FakeConnections, world: World
) -> None:
    """If the reply to creating an environment is lost, the environment is found by name and not created again."""
    asked = []

    class Losing(FakeLayer0):
        def create_environment(self, name: str, **more):
            asked.append(super().create_environment(name, **more))
            raise OutcomeUnknown("lost")

    to.layer0 = Losing(world)
    outcome = perform(CreateEnvironment("prod"), outside)
    assert outcome.environment_id == asked[0].environment_id
    assert len(asked) == 1
