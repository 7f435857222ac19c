"""Lost replies: what was changed is found, and nothing is changed twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ecr_widgets.errors import ConcurrentChange, Layer0Error, Layer0Unavailable, OutcomeUnknown
from ecr_widgets.model.services import Deploy, Service
from ecr_widgets.steps.create_deploy import DeployOutcome
from ecr_widgets.steps.deploy_service import DeployService, ServiceOutcome
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.reconcile import reconcile
from tests.fakes import REGISTRY, FakeClock, FakeLayer0, World, digest_of
from tests.fakes.connections import FakeConnections, perform
from tests.unit.steps.deployed import stored


class LosesReplies(FakeLayer0):
    """A Layer0 that makes each change (or none, if asked to) and loses each reply."""

    def __init__(self, world: World, *, makes: bool = True) -> None:
        super().__init__(world)
        self.makes = makes

    def create_deploy(self, name: str, dockerrun: bytes) -> Deploy:
        self._world.changes.append("asked for a deploy")
        if self.makes:
            super().create_deploy(name, dockerrun)
        raise OutcomeUnknown("the reply was lost")

    def create_service(self, environment_id: str, name: str, deploy_id: str, **more: Any) -> Service:
        self._world.changes.append("asked for a service")
        if self.makes:
            super().create_service(environment_id, name, deploy_id, **more)
        raise OutcomeUnknown("the reply was lost")

    def update_service(self, service_id: str, deploy_id: str) -> Service:
        self._world.changes.append("asked for an update")
        if self.makes:
            super().update_service(service_id, deploy_id)
        raise OutcomeUnknown("the reply was lost")


def release(outside: Outside, text: str) -> tuple[DeployOutcome, ServiceOutcome]:
    deploy = stored(outside, f"{REGISTRY}/web@{digest_of(text)}", name="web")
    return deploy, perform(DeployService("demo", "web", deploy), outside)


def test_what_was_made_is_found_and_asked_for_once(
    outside: Outside, to: FakeConnections, world: World
) -> None:
    """If replies are lost, deploy, service and update are found, each requested once and marked as reconciled."""
    to.layer0 = LosesReplies(world)
    for number, text in enumerate(("a", "b"), start=1):
        deploy, service = release(outside, text)
        assert (deploy.deploy_id, deploy.changed, deploy.reconciled) == (f"web.{number}", True, True)
        assert (service.deploy_id, service.changed, service.reconciled) == (f"web.{number}", True, True)
    assert [each for each in world.changes if each.startswith("asked")] == [
        "asked for a deploy", "asked for a service", "asked for a deploy", "asked for an update",
    ]  # fmt: skip
    assert len(to.layer0.services) == 1


def test_what_was_not_made_stays_unknown(outside: Outside, to: FakeConnections, world: World) -> None:
    """A change that is not found after several looks has an unknown outcome and is not requested again."""
    to.layer0 = LosesReplies(world, makes=False)
    before = world.now
    with pytest.raises(OutcomeUnknown, match="found nothing; it may still appear"):
        release(outside, "a")
    assert world.changes == ["asked for a deploy"]
    assert (world.now - before).total_seconds() > 5


def test_a_look_that_fails_is_not_the_last() -> None:
    """A failing look is repeated."""
    looks: list[Mapping[str, str] | Exception] = [
        Layer0Unavailable("down"),
        Layer0Unavailable("down"),
        {"id": "1"},
    ]

    def look() -> Mapping[str, str]:
        answer = looks.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def change() -> Mapping[str, str]:
        raise OutcomeUnknown("the reply was lost")

    assert reconcile(FakeClock(World()), change, look) == ({"id": "1"}, True)


@pytest.mark.parametrize(("for_s", "is_found"), [(60, True), (10_000, False)])
def test_an_outage_that_lost_the_reply_may_last(world: World, *, for_s: float, is_found: bool) -> None:
    """What was made is found after an outage of a minute; after one that does not end the outcome is unknown, not failed."""
    clock = FakeClock(world)

    def look() -> str:
        if clock.monotonic_s() < for_s:
            raise Layer0Error("unexpected error", status=500)
        return "made"

    def change() -> str:
        raise OutcomeUnknown("the reply was lost")

    if is_found:
        assert reconcile(clock, change, look) == ("made", True)
    else:
        with pytest.raises(OutcomeUnknown):
            reconcile(clock, change, look)


def meeting(*outcomes: str | None) -> Callable[[], str]:
    """Return a change that collides with someone else's each time its outcome is None."""
    left = iter(outcomes)

    def change() -> str:
        made = next(left)
        if made is None:
            raise ConcurrentChange("somebody else at the same time")
        return made

    return change


def test_what_somebody_else_made_at_the_same_time_is_taken(world: World) -> None:
    """If someone else's change is just what was wanted, it is taken, and nothing is requested again."""
    assert reconcile(FakeClock(world), meeting(None), lambda: "theirs") == ("theirs", True)


def test_a_change_that_met_another_is_asked_for_again(world: World) -> None:
    """If someone else's change is not what was wanted, the change is requested again."""
    assert reconcile(FakeClock(world), meeting(None, None, "ours"), lambda: None) == ("ours", False)


def test_a_change_that_always_meets_others_is_an_error(world: World) -> None:
    """After five collisions with others' changes an error is raised."""
    with pytest.raises(ConcurrentChange):
        reconcile(FakeClock(world), meeting(*(None,) * 5), lambda: None)
