"""A step bears a short outage of a deploy target that has answered before."""

from __future__ import annotations

import pytest

from ecr_widgets.errors import DeployTargetError, Layer0Error, Layer0Unavailable, WaitTimeout
from ecr_widgets.kit import Kit
from ecr_widgets.steps.shared.patience import LONGEST_PAUSE_IN_A_RUN_S
from tests.fakes import World
from tests.fakes.connections import FakeConnections
from tests.unit.steps.deployed import DOCKERRUN
from tests.unit.steps.test_polling import BUSY, failing

REFUSED = Layer0Unavailable("a load balancer refuses the connection", retryable=True)


@pytest.fixture
def answered(kit: Kit, to: FakeConnections) -> Kit:
    """A kit whose Layer0 has answered a step and has a service."""
    stored = to.layer0.create_deploy("web", DOCKERRUN.encode())
    to.layer0.create_service("demo24e9e412", "web", stored.deploy_id)
    kit.find_service("demo", "web")
    return kit


@pytest.mark.parametrize("error", [BUSY, REFUSED])
def test_a_step_goes_on_after_a_short_outage(
    answered: Kit, to: FakeConnections, error: DeployTargetError
) -> None:
    """A step that meets ten seconds of 503, or of refused connections, asks until they are over, and succeeds; so does one that only plans."""
    for planning in (True, False):
        answered._runner.planning = planning
        failures = failing(to, "find_environment", error, for_s=10)
        answered.layer0.scale_service("demo", "web", 2)
        assert failures[-1] - failures[0] > 5
    assert to.layer0.find_service("demo24e9e412", "web").desired_count == 2  # type: ignore[union-attr]


def test_a_step_says_what_it_waits_for(
    answered: Kit, to: FakeConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a step asks again, its progress says why."""
    shown: list[str] = []
    view = type(answered.recorder._sink)
    monkeypatch.setattr(view, "progress", lambda _, observed: shown.append(str(observed)))
    failing(to, "find_environment", BUSY, for_s=5)
    answered.find_service("demo", "web")
    assert any("asking again, since a load balancer says 503" in each for each in shown)


def test_an_outage_that_does_not_end_fails_the_step(answered: Kit, to: FakeConnections) -> None:
    """If the target stays away, the step fails after half a minute with what was answered."""
    failures = failing(to, "find_environment", BUSY, for_s=10_000)
    with pytest.raises(Layer0Unavailable, match="503"):
        answered.find_service("demo", "web")
    assert LONGEST_PAUSE_IN_A_RUN_S <= failures[-1] - failures[0] < LONGEST_PAUSE_IN_A_RUN_S + 10


@pytest.mark.parametrize("status", [400, 500])
def test_a_refusal_is_not_asked_again(answered: Kit, to: FakeConnections, status: int) -> None:
    """What the target itself refuses, or fails at, is asked once."""
    failures = failing(to, "find_environment", Layer0Error("no", status=status), for_s=10_000)
    with pytest.raises(Layer0Error, match="no"):
        answered.find_service("demo", "web")
    assert len(failures) == 1


def test_a_target_that_never_answered_is_not_waited_for(kit: Kit, to: FakeConnections) -> None:
    """A target that has not answered in this run fails its first step at once: its address may be wrong."""
    failures = failing(to, "find_environment", BUSY, for_s=10_000)
    with pytest.raises(Layer0Unavailable, match="503"):
        kit.find_service("demo", "web")
    assert len(failures) == 1


def test_a_query_is_answered_at_once(answered: Kit, to: FakeConnections) -> None:
    """A query of a panel or command, for which a person waits, is asked once."""
    failures = failing(to, "find_environment", BUSY, for_s=10_000)
    with pytest.raises(Layer0Unavailable, match="503"):
        answered.look.services("demo")
    assert len(failures) == 1


def test_a_change_is_not_repeated(answered: Kit, to: FakeConnections, world: World) -> None:
    """A change that is refused for the moment is not requested again."""
    failures = failing(to, "scale_service", BUSY, for_s=10_000)
    with pytest.raises(Layer0Unavailable, match="503"):
        answered.layer0.scale_service("demo", "web", 2)
    assert len(failures) == 1


def test_a_wait_ends_in_time_within_an_outage(answered: Kit, to: FakeConnections) -> None:
    """A wait shorter than the outage ends when it was to end, not when the outage would be borne elsewhere."""
    service = answered.deploy_service("demo", "web", "web.7")
    failures = failing(to, "read_service", BUSY, for_s=10_000)
    with pytest.raises((Layer0Unavailable, WaitTimeout)):
        answered.wait(service, timeout_s=10)
    assert failures[-1] - failures[0] < 20
