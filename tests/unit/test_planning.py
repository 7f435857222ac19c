"""A plan changes nothing, even where it does not know a step."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from ecr_widgets.errors import InputError
from ecr_widgets.kit import Connections
from ecr_widgets.planning import LookingOnly, PlanKit
from ecr_widgets.recording.recorder import Recorder
from ecr_widgets.recording.terminal import QuietSink
from tests.fake_connections import FakeConnections
from tests.fakes import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def kit(world: World, tmp_path: Path) -> PlanKit:
    to = LookingOnly(cast("Connections", FakeConnections(world)))
    return PlanKit(cast("Connections", to), Recorder("run-1", to.clock, QuietSink()), files=(tmp_path,))


@pytest.mark.parametrize(
    ("port", "call"),
    [
        ("ecr", "create_repository"), ("engine", "build"), ("engine", "tag"), ("engine", "push"), ("engine", "pull"),
        ("layer0", "create_deploy"), ("layer0", "create_service"), ("layer0", "update_service"), ("layer0", "create_task"),
        ("ecr", "change_repository"), ("ecr", "set_lifecycle_policy"), ("ecr", "tag_image"), ("ecr", "delete_images"),
        ("registry", "copy_image"),
    ],
)  # fmt: skip
def test_a_change_that_was_forgotten_is_refused(kit: PlanKit, port: str, call: str) -> None:
    """By the connections themselves, whatever asks for it."""
    with pytest.raises(InputError, match="cannot be planned"):
        getattr(getattr(kit._to, port), call)
    assert kit._to.engine.pushed_digests("nobody") == ()


def test_a_planned_record_is_an_intent_that_says_whether_it_would_change(kit: PlanKit, world: World) -> None:
    """Nothing but looks was asked of the outside."""
    kit.create_repository("app")
    deployed = kit.deploy_service("demo", "web", "web.1")
    kit.wait(deployed)
    told: list[tuple[Any, ...]] = [
        (r.step, str(r.state), r.changed, r.outcome["planned"]) for r in kit.recorder.records
    ]
    assert told == [
        ("create_repository", "intended", True, True),
        ("update_service", "intended", True, True),
        ("wait", "intended", False, True),
    ]
    assert world.changes == []
