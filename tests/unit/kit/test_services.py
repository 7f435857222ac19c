"""Services updated, waited for and rolled back, on fakes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ecr_widgets.errors import (
    DeploymentFailed,
    EntityNotFound,
    InputError,
    RollbackFailed,
    TargetBusy,
    VerifyError,
)
from ecr_widgets.kit import Kit
from ecr_widgets.model.layer0_load_balancer import HealthCheck, Port
from ecr_widgets.steps.deploy_service import ServiceOutcome
from tests.fakes import World
from tests.fakes.connections import FakeConnections, make_kit

SERVICE_TARGET = "service web of environment demo24e9e412 at https://layer0.test"
BEHIND = '{"containerDefinitions": [{"name": "a", "image": "x", "memory": 10, "portMappings": [%s]}]}'


def crashing(world: World, tmp_path: Path) -> tuple[Kit, FakeConnections]:
    to = FakeConnections(world, crashes=["Exited (1)"] * 5)
    return make_kit(to, tmp_path), to


def test_a_service_that_fails_is_brought_back_where_that_was_asked(world: World, tmp_path: Path) -> None:
    """With on_failure="rollback" a failed service is rolled back in a step of its own, and the wait still fails."""
    kit, to = crashing(world, tmp_path)
    to.layer0.create_service("demo24e9e412", "web", "web.1")
    running = kit.deploy_service("demo", "web", "web.2")
    mended = to.layer0
    mended_update = mended.update_service

    def update_and_mend(service_id: str, deploy_id: str) -> object:
        mended._crashes = ()
        return mended_update(service_id, deploy_id)

    mended.update_service = update_and_mend  # type: ignore[method-assign,assignment]
    with pytest.raises(DeploymentFailed, match=r"rolled back to deploy web\.1"):
        kit.wait(running, on_failure="rollback")
    told = [(record.step, str(record.state)) for record in kit.recorder.records]
    assert told == [("update_service", "succeeded"), ("wait", "failed"), ("rollback", "succeeded")]
    assert next(iter(to.layer0.services.values())).deployments[0].deploy_id == "web.1"


def test_a_service_that_fails_is_left_as_it_is_otherwise(world: World, tmp_path: Path) -> None:
    """By default a failed service is left as it is."""
    kit, _to = crashing(world, tmp_path)
    running = kit.deploy_service("demo", "web", "web.2")
    with pytest.raises(DeploymentFailed):
        kit.wait(running)
    assert [record.step for record in kit.recorder.records] == ["create_service", "wait"]


def test_a_rollback_that_fails_is_an_error_of_its_own(world: World, tmp_path: Path) -> None:
    """A rollback that fails is tried once and has its own error."""
    kit, to = crashing(world, tmp_path)
    to.layer0.create_service("demo24e9e412", "web", "web.1")
    running = kit.deploy_service("demo", "web", "web.2")
    with pytest.raises(RollbackFailed, match="by hand: `ecr-widgets service deploy"):
        kit.wait(running, on_failure="rollback")
    assert world.changes.count("update service to web.1") == 1


@pytest.mark.parametrize("standing", ["web.2", None])
def test_there_must_be_something_to_go_back_to(world: World, tmp_path: Path, standing: str | None) -> None:
    """A rollback without an earlier deploy is refused, and nothing is changed."""
    kit, _to = crashing(world, tmp_path)
    running = kit.deploy_service("demo", "web", "web.2")
    before = list(world.changes)
    with pytest.raises(RollbackFailed, match="no earlier deploy"):
        kit.rollback(replace(running, previous_deploy_id=standing))
    assert world.changes == before


def test_what_to_do_on_failure_is_one_of_two(kit: Kit) -> None:
    """An invalid on_failure is refused before the wait."""
    running = kit.deploy_service("demo", "web", "web.1")
    with pytest.raises(InputError, match="give stop or rollback"):
        kit.wait(running, on_failure="roll back")


def test_a_service_is_created_behind_the_balancer_that_is_named(kit: Kit, to: FakeConnections) -> None:
    """A service is created behind the named load balancer; one that cannot reach the deploy, or another later, is refused."""
    balancer = to.layer0.create_load_balancer(
        "demo24e9e412", "front", [Port(80, 8080)], health_check=HealthCheck()
    )
    reached, deaf = (
        to.layer0.create_deploy("web", (BEHIND % ports).encode()).deploy_id
        for ports in ('{"containerPort": 80, "hostPort": 8080}', '{"containerPort": 80}')
    )
    with pytest.raises(InputError, match="forwards to host port 8080, and the Dockerrun listens on none"):
        kit.deploy_service("demo", "web", deaf, load_balancer="front")
    assert to.layer0.services == {}
    made = kit.deploy_service("demo", "web", reached, load_balancer="front")
    assert to.layer0.services[made.service_id].load_balancer_id == balancer.load_balancer_id
    assert kit.recorder.records[-1].inputs["load_balancer"] == "front"
    with pytest.raises(EntityNotFound, match="'other' does not exist"):
        kit.deploy_service("demo", "web", reached, load_balancer="other")
    to.layer0.create_load_balancer("demo24e9e412", "other", [Port(81, 8080)], health_check=HealthCheck())
    with pytest.raises(VerifyError, match="is behind load balancer"):
        kit.deploy_service("demo", "web", reached, load_balancer="other")


def test_the_check_finds_a_dockerrun_that_the_balancer_cannot_reach(
    to: FakeConnections, kit: Kit, tmp_path: Path
) -> None:
    """The check refuses a Dockerrun that the load balancer cannot reach, and nothing is stored."""
    to.layer0.create_load_balancer("demo24e9e412", "front", [Port(80, 8080)], health_check=HealthCheck())
    (tmp_path / "deaf.json").write_text(BEHIND % '{"containerPort": 80}')
    with pytest.raises(InputError, match="forwards to host port 8080, and the Dockerrun listens on none"):
        kit.check_target(environment="demo", service="web", dockerrun="deaf.json", load_balancer="front")
    assert to.layer0.list_all_deploys() == ()


def moved_by_a_stranger(world: World, tmp_path: Path) -> tuple[Kit, FakeConnections, ServiceOutcome]:
    """A service that this run moved from web.1 to web.2 and someone else to web.7, while it failed."""
    kit, to = crashing(world, tmp_path)
    to.layer0.create_service("demo24e9e412", "web", "web.1")
    running = kit.deploy_service("demo", "web", "web.2")
    to.layer0.update_service(running.service_id, "web.7")
    return kit, to, running


def test_a_deploy_of_somebody_else_ends_the_wait_and_is_left_alone(world: World, tmp_path: Path) -> None:
    """If someone else deploys, the wait ends immediately without a rollback, since that would undo their deploy."""
    kit, to, running = moved_by_a_stranger(world, tmp_path)
    before, started_s = list(world.changes), to.clock.monotonic_s()
    with pytest.raises(
        TargetBusy, match=r"moved to deploy web\.7 by somebody else while this run waited for"
    ):
        kit.wait(running, on_failure="rollback")
    assert world.changes == before
    assert [record.step for record in kit.recorder.records] == ["update_service", "wait"]
    assert to.clock.monotonic_s() - started_s < 2


def test_going_back_leaves_a_deploy_of_somebody_else_alone(world: World, tmp_path: Path) -> None:
    """A rollback is refused if the service is on another deploy than the caller saw."""
    _kit, to, running = moved_by_a_stranger(world, tmp_path)
    kit = make_kit(to, tmp_path)
    before = list(world.changes)
    with pytest.raises(TargetBusy, match=r"was on web\.2 and is on web\.7 now"):
        kit.rollback(running)
    assert world.changes == before


def test_a_service_is_held_from_one_step_to_the_next_where_that_is_asked(
    kit: Kit, to: FakeConnections
) -> None:
    """A service can be held across several steps, and holding a busy one fails."""
    with kit.hold_service("demo", "web"):
        assert to.locks.held == [SERVICE_TARGET]
    to.locks.busy.add(SERVICE_TARGET)
    with pytest.raises(TargetBusy), kit.hold_service("demo", "web"):
        pytest.fail("it was let in")


def test_a_way_back_that_cannot_be_found_is_a_rollback_that_failed(world: World, tmp_path: Path) -> None:
    """If the earlier deploy is unknown, the rollback is recorded as failed."""
    kit, to = crashing(world, tmp_path)
    to.layer0.create_service("demo24e9e412", "web", "web.2")
    running = kit.deploy_service("demo", "web", "web.2")
    with pytest.raises(RollbackFailed, match="what it ran before is not known: no deploy web"):
        kit.wait(running, on_failure="rollback")
    assert [(each.step, each.state) for each in kit.recorder.records][-1] == ("rollback", "failed")
    assert kit.recorder.records[-1].inputs["environment"] == "demo"
