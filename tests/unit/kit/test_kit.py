"""The kit's own work: targets held and looked at again, failures recorded, a service brought back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ecr_widgets.errors import (
    DeploymentFailed,
    EcrWidgetsError,
    EntityNotFound,
    InputError,
    RollbackFailed,
    TargetBusy,
    VerifyError,
)
from ecr_widgets.kit import Kit
from ecr_widgets.model.layer0_load_balancer import HealthCheck, Port
from ecr_widgets.planning import PlanKit
from ecr_widgets.recording.recorder import Recorder
from ecr_widgets.recording.terminal import QuietSink
from ecr_widgets.steps.deploy_service import ServiceOutcome
from tests.fake_connections import FakeConnections
from tests.fakes import REGISTRY, FakeEcr, FakeRegistry, World, digest_of


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def to(world: World) -> FakeConnections:
    return FakeConnections(world)


@pytest.fixture
def kit(to: FakeConnections, tmp_path: Path) -> Kit:
    (tmp_path / "Dockerfile").write_text("FROM busybox")
    return make_kit(to, tmp_path)


def make_kit(to: FakeConnections, folder: Path) -> Kit:
    return Kit(to, Recorder("run-1", to.clock, QuietSink()), files=(folder,))


def test_a_record_says_which_file_was_used(to: FakeConnections, tmp_path: Path) -> None:
    """Of a relative path: where it was found, and plainly when that is a shipped example."""
    own, shipped = tmp_path / "own", tmp_path / "shipped"
    for each in (own / "app", shipped / "app", shipped / "wait"):
        each.mkdir(parents=True)
        (each / "Dockerfile").write_text("FROM busybox")
    kit = Kit(to, Recorder("run-1", to.clock, QuietSink()), files=(own, shipped), examples=shipped)
    for context in ("app", "wait", own / "app"):
        kit.build_image(context, name="app")
    told = [record.inputs.get("found") for record in kit.recorder.records]
    assert told == [str(own / "app"), "the example that ecr-widgets ships", None]


BAD_FILES = {
    "no context": ({"context": "nowhere"}, "'nowhere' is not a folder"),
    "no Dockerfile": ({"context": ".", "dockerfile": "none"}, "no Dockerfile 'none'"),
    "capitals": ({"local_name": "Xfra/wait"}, "it has capital letters; write it in lower case"),
    "no Dockerrun": ({"dockerrun": "none.json"}, "cannot read 'none.json'"),
    "bad Dockerrun": ({"dockerrun": "bad.json"}, "Dockerrun 'bad.json' refused at /containerDefinitions"),
    "no such container": (
        {"dockerrun": "good.json", "container": "web"},
        "Dockerrun 'good.json' refused at /containerDefinitions: no container 'web'; it has: timeout",
    ),
    "deploy name": ({"deploy": "time.out"}, "deploy name 'time.out' refused"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_the_check_finds_what_a_later_step_would_refuse(
    kit: Kit, world: World, tmp_path: Path, case: str
) -> None:
    """Files and names, each with the file's name in the error; nothing was changed and nobody asked for a token."""
    container = {"name": "timeout", "image": "x", "memory": 10}
    (tmp_path / "good.json").write_text(json.dumps({"containerDefinitions": [container]}))
    (tmp_path / "bad.json").write_text(json.dumps({"containerDefinitions": [container | {"memory": "10"}]}))
    given, why = BAD_FILES[case]
    with pytest.raises(EcrWidgetsError) as refused:
        kit.check_target(environment="demo", service="web", repository="app", tag="1", **given)
    assert why in str(refused.value)
    assert (world.changes, world.tokens_issued) == ([], 0)
    assert [(each.step, str(each.state)) for each in kit.recorder.records] == [("check_target", "failed")]


IMAGE_TARGET = "image registry.test:5000/app:1"
SERVICE_TARGET = "service web of environment demo24e9e412 at https://layer0.test"


def check(kit: Kit) -> None:
    kit.check_target(environment="demo", service="web", repository="app", tag="1")


def test_the_check_holds_what_the_run_will_change(kit: Kit, to: FakeConnections) -> None:
    """The service and the tag, by names that every run makes the same way."""
    check(kit)
    assert set(to.locks.held) == {SERVICE_TARGET, IMAGE_TARGET}


@pytest.mark.parametrize("target", [IMAGE_TARGET, SERVICE_TARGET])
def test_a_busy_target_stops_the_run_at_its_check(
    kit: Kit, to: FakeConnections, world: World, target: str
) -> None:
    """Nothing was changed, and the record says why."""
    to.locks.busy.add(target)
    with pytest.raises(TargetBusy):
        check(kit)
    (record,) = kit.recorder.records
    assert (record.step, record.state, world.changes) == ("check_target", "failed", [])


def test_a_service_that_somebody_else_moved_is_left_alone(
    kit: Kit, to: FakeConnections, world: World
) -> None:
    """A run elsewhere is noticed by what stands, and the refusal is recorded."""
    made = to.layer0.create_service("demo24e9e412", "web", "web.1")
    check(kit)
    to.layer0.update_service(made.service_id, "web.7")
    before = list(world.changes)
    with pytest.raises(TargetBusy, match=r"stood on web\.1 and stands on web\.7 now"):
        kit.deploy_service("demo", "web", "web.2")
    assert world.changes == before
    assert kit.recorder.records[-1].error is not None
    assert kit.deploy_service("demo", "web", "web.7").changed is False


def test_a_tag_that_somebody_else_pushed_is_left_alone(kit: Kit, world: World) -> None:
    """What stood at the check is what may be replaced, nothing newer."""
    kit.create_repository("app")
    check(kit)
    world.tags["app", "1"] = digest_of("theirs")
    built = kit.build_image(".", name="app")
    with pytest.raises(TargetBusy, match=r"app:1 was changed by somebody else"):
        kit.push_image(built, repository="app", tag="1")
    assert world.tags["app", "1"] == digest_of("theirs")


def test_a_run_may_change_its_target_more_than_once(kit: Kit, world: World) -> None:
    """Its own changes are not somebody else's."""
    kit.create_repository("app")
    check(kit)
    first = kit.push_image(kit.build_image(".", name="app"), repository="app", tag="1")
    (kit._files[0] / "Dockerfile").write_text("FROM busybox\nENV A=1")
    second = kit.push_image(kit.build_image(".", name="app"), repository="app", tag="1")
    assert first.digest != second.digest
    for deploy in ("web.1", "web.2"):
        assert kit.deploy_service("demo", "web", deploy).changed


def crashing(world: World, tmp_path: Path) -> tuple[Kit, FakeConnections]:
    to = FakeConnections(world, crashes=["Exited (1)"] * 5)
    return make_kit(to, tmp_path), to


def test_a_service_that_fails_is_brought_back_where_that_was_asked(world: World, tmp_path: Path) -> None:
    """As a step of its own; the wait has failed all the same."""
    kit, to = crashing(world, tmp_path)
    to.layer0.create_service("demo24e9e412", "web", "web.1")
    running = kit.deploy_service("demo", "web", "web.2")
    mended = to.layer0
    mended_update = mended.update_service

    def update_and_mend(service_id: str, deploy_id: str) -> object:
        mended._crashes = ()
        return mended_update(service_id, deploy_id)

    mended.update_service = update_and_mend  # type: ignore[method-assign,assignment]
    with pytest.raises(DeploymentFailed, match=r"brought back to deploy web\.1"):
        kit.wait(running, on_failure="rollback")
    told = [(record.step, str(record.state)) for record in kit.recorder.records]
    assert told == [("update_service", "succeeded"), ("wait", "failed"), ("rollback", "succeeded")]
    assert next(iter(to.layer0.services.values())).deployments[0].deploy_id == "web.1"


def test_a_service_that_fails_is_left_as_it_is_otherwise(world: World, tmp_path: Path) -> None:
    """Somebody may want to look at it."""
    kit, _to = crashing(world, tmp_path)
    running = kit.deploy_service("demo", "web", "web.2")
    with pytest.raises(DeploymentFailed):
        kit.wait(running)
    assert [record.step for record in kit.recorder.records] == ["create_service", "wait"]


def test_a_rollback_that_fails_is_an_error_of_its_own(world: World, tmp_path: Path) -> None:
    """Both failures are recorded, and nothing is tried in a loop."""
    kit, to = crashing(world, tmp_path)
    to.layer0.create_service("demo24e9e412", "web", "web.1")
    running = kit.deploy_service("demo", "web", "web.2")
    with pytest.raises(RollbackFailed, match="by hand: `ecr-widgets service deploy"):
        kit.wait(running, on_failure="rollback")
    assert world.changes.count("update service to web.1") == 1


@pytest.mark.parametrize("standing", ["web.2", None])
def test_there_must_be_something_to_go_back_to(world: World, tmp_path: Path, standing: str | None) -> None:
    """A new service, or one that stood on the same deploy already, is not moved."""
    kit, _to = crashing(world, tmp_path)
    running = kit.deploy_service("demo", "web", "web.2")
    before = list(world.changes)
    with pytest.raises(RollbackFailed, match="no earlier deploy"):
        kit.rollback(replace(running, previous_deploy_id=standing))
    assert world.changes == before


def test_what_to_do_on_failure_is_one_of_two(kit: Kit) -> None:
    """A typing error is found before the wait, not after it."""
    running = kit.deploy_service("demo", "web", "web.1")
    with pytest.raises(InputError, match="give stop or rollback"):
        kit.wait(running, on_failure="roll back")


BEHIND = '{"containerDefinitions": [{"name": "a", "image": "x", "memory": 10, "portMappings": [%s]}]}'


def test_a_service_is_created_behind_the_balancer_that_is_named(kit: Kit, to: FakeConnections) -> None:
    """The record names it, and a deploy that it cannot reach is refused before anything is posted."""
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
    with pytest.raises(VerifyError, match="stands behind load balancer"):
        kit.deploy_service("demo", "web", reached, load_balancer="other")


def test_what_layer0_keeps_is_deleted_once(kit: Kit, to: FakeConnections) -> None:
    """Deploys, tasks and jobs, and an environment's least size: the second time nothing changes."""
    deploy = to.layer0.create_deploy("web", b"{}").deploy_id
    job = to.layer0.ended("x")
    assert [kit.layer0.delete_deploy(deploy).changed for _ in "ab"] == [True, False]
    assert [kit.layer0.delete_job(job).changed for _ in "ab"] == [True, False]
    assert [kit.layer0.set_min_count("demo", 2).changed for _ in "ab"] == [True, False]
    assert kit.layer0.scale_environment("demo").environment_id == "demo24e9e412"
    assert (kit.layer0.restore_own_tags().version, to.layer0.restored) == ("v0.12.6", 1)
    to.layer0.create_task("demo24e9e412", "once", "web.1", {})
    assert kit.layer0.delete_task("task00000000").changed
    assert not kit.layer0.delete_task("task00000000").changed


def test_another_account_is_asked_where_it_is_named(tmp_path: Path) -> None:
    """The repository is made there and not here, and what runs is verified with a token of that registry; so in a plan."""
    here, there = World(), World()

    class TwoAccounts(FakeConnections):
        def ecr_of(self, *, profile: str | None, region: str | None) -> FakeEcr:
            assert (profile, region) == ("live", None)
            return FakeEcr(there)

    to = TwoAccounts(here)
    recorder = Recorder("run-1", to.clock, QuietSink())
    PlanKit(to, recorder, files=(tmp_path,)).create_repository("app", profile="live")
    assert recorder.records[-1].changed is True
    assert (here.changes, there.changes) == ([], [])
    kit = Kit(to, recorder, files=(tmp_path,))
    kit.create_repository("app", profile="live")
    assert (here.changes, there.changes) == ([], ["create repository app"])
    text = json.dumps({"containerDefinitions": [{"name": "web", "image": "x", "memory": 10}]})
    (tmp_path / "run.json").write_text(text)
    there.manifests.add(("app", digest_of("a")))
    to.registry = FakeRegistry(there)
    stored = kit.create_deploy("web", "run.json", image=f"{REGISTRY}/app@{digest_of('a')}")
    running = kit.deploy_service("demo", "web", stored)
    kit.wait(running)
    assert kit.verify(running, profile="live").registry_digest == digest_of("a")
    assert here.tokens_issued == 0


def moved_by_a_stranger(world: World, tmp_path: Path) -> tuple[Kit, FakeConnections, ServiceOutcome]:
    """A service that this run moved from web.1 to web.2, and somebody elsewhere to web.7 while it failed there."""
    kit, to = crashing(world, tmp_path)
    to.layer0.create_service("demo24e9e412", "web", "web.1")
    running = kit.deploy_service("demo", "web", "web.2")
    to.layer0.update_service(running.service_id, "web.7")
    return kit, to, running


def test_a_deploy_of_somebody_else_ends_the_wait_and_is_left_alone(world: World, tmp_path: Path) -> None:
    """What is waited for never comes, and going back would overwrite what they deployed."""
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
    """The caller saw another deploy than the one that stands by now, though this kit never saw either."""
    _kit, to, running = moved_by_a_stranger(world, tmp_path)
    kit = make_kit(to, tmp_path)
    before = list(world.changes)
    with pytest.raises(TargetBusy, match=r"stood on web\.2 and stands on web\.7 now"):
        kit.rollback(running)
    assert world.changes == before


def test_a_service_is_held_from_one_step_to_the_next_where_that_is_asked(
    kit: Kit, to: FakeConnections
) -> None:
    """A verb of several steps is one piece of work, and a busy service stops it before the first of them."""
    with kit.hold_service("demo", "web"):
        assert to.locks.held == [SERVICE_TARGET]
    to.locks.busy.add(SERVICE_TARGET)
    with pytest.raises(TargetBusy), kit.hold_service("demo", "web"):
        pytest.fail("it was let in")


def test_a_way_back_that_cannot_be_found_is_a_rollback_that_failed(world: World, tmp_path: Path) -> None:
    """It is recorded as a step of its own, so that the run ends with that exit code."""
    kit, to = crashing(world, tmp_path)
    to.layer0.create_service("demo24e9e412", "web", "web.2")
    running = kit.deploy_service("demo", "web", "web.2")
    with pytest.raises(RollbackFailed, match="what it ran before cannot be told: no deploy web"):
        kit.wait(running, on_failure="rollback")
    assert [(each.step, each.state) for each in kit.recorder.records][-1] == ("rollback", "failed")
    assert kit.recorder.records[-1].inputs["environment"] == "demo"
