"""The kit's calls on an ECS cluster: the same as on Layer0, with the target's own results."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.errors import (
    AuthorizationError,
    DeploymentFailed,
    InputError,
    OutcomeUnknown,
    RollbackFailed,
    VerifyError,
)
from ecr_widgets.kit import Kit
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.services import DeployLimits, Task
from ecr_widgets.steps.push_image import PushOutcome
from ecr_widgets.steps.shared.service_wait import describe
from tests.fakes import REGISTRY, FakeEcs, World, digest_of
from tests.fakes.connections import FakeConnections, make_kit
from tests.fakes.ecs import ADDRESS
from tests.fakes.on_both import CLUSTER, OnBoth

HERE = "ecs:demo"
SERVICE = ADDRESS.service("demo", "web")
SERVICE_FILE = {"launchType": "EC2", "deploymentConfiguration": {"minimumHealthyPercent": 50}}


def image(text: str) -> ImageReference:
    return ImageReference.parse(f"{REGISTRY}/app@{digest_of(text)}")


@pytest.fixture
def kit(to: FakeConnections, world: World, tmp_path: Path) -> Kit:
    container = {"name": "app", "image": "x", "memory": 64}
    (tmp_path / "app.json").write_text(json.dumps({"containerDefinitions": [container]}))
    (tmp_path / "service.json").write_text(json.dumps(SERVICE_FILE))
    to.ecr.create_repository("app", tags_immutable=False, scan_on_push=False)
    world.manifests |= {("app", digest_of(text)) for text in "abcd"}
    return make_kit(to, tmp_path)


def release(kit: Kit, text: str, **more: Any) -> Any:
    """Store, deploy, wait and verify, as the runbooks do."""
    pushed = PushOutcome(image(text), digest_of(text), "1", changed=False)
    stored = kit.create_deploy("web", "app.json", image=pushed.image, environment=HERE)
    service = kit.deploy_service(HERE, "web", stored, **more)
    kit.wait(service)
    return kit.verify(service, pushed)


def test_a_release_changes_what_it_must_and_nothing_the_second_time(kit: Kit, world: World) -> None:
    """A release registers one revision and makes one service or update; repeated with the same document, it changes nothing."""
    kit.check_target(environment=HERE, service="web", dockerrun="app.json", deploy="web")
    proof = release(kit, "a")
    assert (proof.service_id, proof.deploy_id, proof.running_digest) == (SERVICE, "web:1", digest_of("a"))
    release(kit, "b")
    changes = ["register web:1", "create service web", "register web:2", "update service to web:2"]
    assert [each for each in world.changes if "repository" not in each] == changes
    release(kit, "b")
    assert len([each for each in world.changes if "repository" not in each]) == len(changes)
    assert not any(each.changed for each in kit.recorder.records[-4:])


def test_what_the_copies_report_is_what_is_proven(kit: Kit, to: FakeConnections) -> None:
    """If the copies report another digest than the deploy's, verification fails."""
    to.ecs.digests["app"] = digest_of("moved")
    with pytest.raises(VerifyError, match=f"runs {digest_of('moved')}, not {digest_of('a')}"):
        release(kit, "a")


def test_a_deployment_that_ecs_brought_back_is_a_failed_one(kit: Kit, to: FakeConnections) -> None:
    """A deployment that ECS rolled back has failed, with ECS's reason."""
    release(kit, "a")
    to.ecs.given_up["web:2"] = "ECS deployment circuit breaker: tasks failed to start."
    with pytest.raises(
        DeploymentFailed, match="ECS brought it back to web:1: ECS deployment circuit breaker"
    ):
        release(kit, "b")


def test_a_deployment_without_room_ends_with_the_schedulers_words(kit: Kit, to: FakeConnections) -> None:
    """A deployment without room fails with the scheduler's message instead of waiting."""
    why = (
        "(service web) was unable to place a task because no container instance met all of its requirements."
    )
    to.ecs.no_room["web:1"] = why
    with pytest.raises(DeploymentFailed, match="unable to place a task"):
        release(kit, "a")


def test_a_rollback_stores_again_what_another_tool_has_retired(kit: Kit, to: FakeConnections) -> None:
    """A rollback to a deregistered deploy registers its document again and records both ids."""
    release(kit, "a")
    release(kit, "b")
    to.ecs.delete_deploy("web:1")
    to.proven = frozenset(("web:1",))
    back = kit.rollback(kit.find_service(HERE, "web"))
    assert (back.deploy_id, back.stored_again, back.left_deploy_id) == ("web:3", "web:1", "web:2")


def test_a_rollback_of_a_deployment_under_way_stops_it(kit: Kit, to: FakeConnections, world: World) -> None:
    """A rollback during a deployment stops it, so that ECS goes back itself."""
    release(kit, "a")
    to.ecs.pauses["web:2"] = ("POST_SCALE_UP", "hook-1")
    stored = kit.create_deploy("web", "app.json", image=image("b"), environment=HERE)
    moved = kit.deploy_service(HERE, "web", stored)
    back = kit.rollback(moved, deploy_id="web:1")
    assert (back.deploy_id, back.changed, world.changes[-1]) == (
        "web:1", True, f"stop deployment {moved.deployment_id}",
    )  # fmt: skip


def test_a_service_that_something_else_moves_is_refused_before_anything(
    kit: Kit, to: FakeConnections, world: World
) -> None:
    """A service under CodeDeploy is refused by the check and by each step that would change it."""
    release(kit, "a")
    to.ecs.refuses(SERVICE, "its deployments are CodeDeploy's")
    before = list(world.changes)
    service = kit.find_service(HERE, "web")
    for change in (
        lambda: kit.check_target(environment=HERE, service="web"),
        lambda: kit.deploy_service(HERE, "web", "web:1"),
        lambda: kit.layer0.scale_service(HERE, "web", 2),
        lambda: kit.rollback(service, deploy_id="web:1"),
    ):
        with pytest.raises(InputError, match="CodeDeploy"):
            change()
    assert world.changes == before


def test_a_service_file_creates_and_only_shows_what_differs_later(kit: Kit, to: FakeConnections) -> None:
    """A service file's settings create a service; later they are only compared unless applied, and fixed ones are refused."""
    release(kit, "a", service_file="service.json")
    assert to.ecs.settings[SERVICE] == SERVICE_FILE
    to.ecs.settings[SERVICE] = {
        "deploymentConfiguration": {"minimumHealthyPercent": 100, "maximumPercent": 200}
    }
    shown = kit.deploy_service(HERE, "web", "web:1", service_file="service.json")
    assert (shown.changed, len(shown.differences)) == (False, 2)
    with pytest.raises(InputError, match="launchType cannot be changed once the service exists"):
        kit.deploy_service(HERE, "web", "web:1", service_file="service.json", apply_settings=True)
    to.ecs.settings[SERVICE]["launchType"] = "EC2"
    assert "minimumHealthyPercent: 100" in " ".join(shown.differences)
    applied = kit.deploy_service(HERE, "web", "web:1", service_file="service.json", apply_settings=True)
    assert applied.changed
    assert kit.deploy_service(HERE, "web", "web:1", service_file="service.json").differences == ()


def test_layer0s_own_parameters_are_refused_for_ecs(kit: Kit) -> None:
    """A load balancer's name is refused for ECS."""
    for step in (
        lambda: kit.check_target(environment=HERE, load_balancer="lb", dockerrun="app.json"),
        lambda: kit.deploy_service(HERE, "web", "web:1", load_balancer="lb"),
    ):
        with pytest.raises(InputError, match="for Layer0 only"):
            step()


def test_a_pause_of_a_deployment_is_shown_and_can_be_ended(
    kit: Kit, to: FakeConnections, world: World
) -> None:
    """A deployment that waits at a pause is described as such, and a recorded step continues it."""
    release(kit, "a")
    to.ecs.pauses["web:2"] = ("POST_SCALE_UP", "hook-1")
    kit.deploy_service(HERE, "web", kit.create_deploy("web", "app.json", image=image("b"), environment=HERE))
    service = to.ecs.read_service(SERVICE)
    assert "post scale up, waits at a pause until somebody continues it" in describe(service)
    done = kit.continue_deployment(HERE, "web")
    assert (done.deploy_id, done.stage, world.changes[-1]) == (
        "web:2", "POST_SCALE_UP", f"continue deployment {done.deployment_id}",
    )  # fmt: skip
    with pytest.raises(InputError, match="does not wait at a pause hook"):
        kit.continue_deployment(HERE, "web")


def test_auto_scalings_bounds_are_said(kit: Kit, to: FakeConnections) -> None:
    """A scaling outside auto scaling's bounds has a warning with them."""
    release(kit, "a")
    to.ecs.scales_by_itself(SERVICE, 2, 4)
    assert kit.layer0.scale_service(HERE, "web", 3).warnings == ()
    assert "between 2 and 4" in kit.layer0.scale_service(HERE, "web", 9).warnings[0]


def test_side_cars_do_not_decide_how_a_task_ended(kit: Kit, to: FakeConnections, tmp_path: Path) -> None:
    """A non-essential container's exit code is recorded but does not make a task fail; an essential one's does."""
    containers = [
        {"name": "app", "image": "x", "memory": 64},
        {"name": "agent", "image": "y:1", "memory": 64, "essential": False},
    ]
    (tmp_path / "two.json").write_text(json.dumps({"containerDefinitions": containers}))
    stored = kit.create_deploy("job", "two.json", image=image("a"), container="app", environment=HERE)
    to.ecs.exit_codes = {"agent": 143}
    done = kit.create_task(HERE, "once", stored)
    assert (done.exit_codes, done.side_car_codes) == ({"app": 0}, {"agent": 143})
    to.ecs.exit_codes = {"app": 3}
    with pytest.raises(DeploymentFailed, match="app with code 3"):
        kit.create_task(HERE, "once", stored)


def test_a_task_that_finds_no_place_says_why(kit: Kit, to: FakeConnections) -> None:
    """A task that ECS cannot place fails with ECS's reason."""
    stored = kit.create_deploy("job", "app.json", image=image("a"), environment=HERE)
    to.ecs.no_task = ("RESOURCE:MEMORY",)
    with pytest.raises(DeploymentFailed, match="RESOURCE:MEMORY"):
        kit.create_task(HERE, "once", stored)


class LosesReplies(FakeEcs):
    """Makes each change and loses its reply."""

    def start_task(self, *asked: Any, **more: Any) -> str:
        super().start_task(*asked, **more)
        raise OutcomeUnknown("the reply was lost")

    def create_service(self, *asked: Any, **more: Any) -> Any:
        super().create_service(*asked, **more)
        raise OutcomeUnknown("the reply was lost")

    def create_deploy(self, *asked: Any) -> Any:
        super().create_deploy(*asked)
        raise OutcomeUnknown("the reply was lost")

    def update_service(self, *asked: Any) -> Any:
        super().update_service(*asked)
        raise OutcomeUnknown("the reply was lost")


def test_each_change_whose_reply_is_lost_is_made_once(kit: Kit, to: FakeConnections, world: World) -> None:
    """A change whose reply is lost is found by looking and not requested again."""
    to.ecs = LosesReplies(world)
    release(kit, "a")
    release(kit, "b")
    assert kit.create_task(HERE, "once", "web:1").reconciled
    made = [each for each in world.changes if "repository" not in each]
    assert made == [
        "register web:1", "create service web", "register web:2", "update service to web:2", "start task once",
    ]  # fmt: skip


def test_images_that_ecs_runs_or_stores_are_used(kit: Kit) -> None:
    """Images that ECS services run, or task definitions contain, are in use."""
    release(kit, "a")
    uses = kit.ecr.find_uses("app").uses
    assert {(use.by, use.runs) for use in uses} == {("service ecs:demo/web", True), ("deploy web.1", False)}


def test_nothing_proven_leaves_a_failed_deploy_where_it_is(kit: Kit, to: FakeConnections) -> None:
    """A failed first deploy has no earlier deploy to roll back to."""
    to.ecs.crashes["web:1"] = ["EssentialContainerExited: app with code 1"] * 5
    with pytest.raises(DeploymentFailed, match="app with code 1") as failed:
        release(kit, "a")
    assert "cannot open /etc/app" in " ".join(failed.value.log)
    service = kit.find_service(HERE, "web")
    with pytest.raises((RollbackFailed, InputError), match="no earlier deploy"):
        kit.rollback(service)


def test_a_target_that_may_not_be_asked_keeps_every_image(
    kit: Kit, to: FakeConnections, world: World
) -> None:
    """If a target may not be queried, that is reported, since its images are unknown."""

    class Denied(FakeEcs):
        def list_environments(self) -> Any:
            raise AuthorizationError("AWS refused ecs:ListClusters")

    to.ecs = Denied(world)
    (unknown,) = kit.ecr.find_uses("app").unknown
    assert "ECS was not asked: AWS refused ecs:ListClusters" in unknown


def test_a_task_that_was_stopped_has_failed_whatever_it_left(kit: Kit, to: FakeConnections) -> None:
    """A task that was stopped early has failed, even if its program ended with code 0."""

    class Stopped(FakeEcs):
        def read_task(self, task_id: str) -> Task:
            return replace(
                super().read_task(task_id), was_cut_short=True, reason="Host is retired (UserInitiated)"
            )

    to.ecs = Stopped(World())
    stored = kit.create_deploy("job", "app.json", image=image("a"), environment=HERE)
    with pytest.raises(DeploymentFailed, match="Host is retired"):
        kit.create_task(HERE, "once", stored)


def test_a_layer0_service_is_listed_once_among_the_uses(world: World, tmp_path: Path) -> None:
    """A Layer0 service is listed once under its Layer0 name, also with images that only ECS reports."""
    to = FakeConnections(world)
    to.ecr.create_repository("app", tags_immutable=False, scan_on_push=False)
    OnBoth(to, "web", {"name": "app", "image": f"{REGISTRY}/app:1", "memory": 64})
    to.ecs.digests["app"] = digest_of("a")
    uses = make_kit(to, tmp_path).ecr.find_uses("app").uses
    assert [(use.by, use.runs, use.image.digest) for use in uses] == [
        ("service demo/web", True, None),
        ("service demo/web", True, digest_of("a")),
        ("deploy web.1", False, None),
    ]


def test_what_only_looks_like_a_layer0_service_is_listed_by_its_own_name(
    world: World, tmp_path: Path
) -> None:
    """Similar names without a common deployment are two services, each listed under its own name."""
    to = FakeConnections(world)
    to.ecr.create_repository("app", tags_immutable=False, scan_on_push=False)
    both = OnBoth(to, "web", {"name": "app", "image": f"{REGISTRY}/app:1", "memory": 64})
    service = to.layer0.services[both.service_id]
    other = replace(service.deployments[0], deployment_id="ecs-svc/other")
    to.layer0.services[both.service_id] = replace(service, deployments=(other,))
    running = {use.by for use in make_kit(to, tmp_path).ecr.find_uses("app").running}
    assert running == {"service demo/web", f"service ecs:{CLUSTER}/{both.ecs_name}"}


def registered(to: FakeConnections, name: str, *images: str) -> None:
    """Register a revision of a family for each image."""
    for text in images:
        document = {"containerDefinitions": [{"name": "app", "image": text, "memory": 64}]}
        to.ecs.create_deploy(name, json.dumps(document).encode())


def test_an_old_revision_that_nothing_runs_protects_its_image(kit: Kit, to: FakeConnections) -> None:
    """An old revision is a use if its family is named like the repository; older ones of other families count as not read."""
    registered(to, "web", str(image("a")), *[str(image("b"))] * 25)
    registered(to, "other", *["busybox"] * 30)
    uses = kit.ecr.find_uses("app")
    assert "deploy web.1" in {use.by for use in uses.uses}
    (other,) = uses.not_read
    assert other.startswith("deploys of 1 other name that are older than the newest 20, none of which names")


def test_a_bound_on_what_is_read_is_in_the_record(kit: Kit, to: FakeConnections) -> None:
    """If a family has more revisions than are read, the outcome and the record say which were not."""
    to.ecs.limits = DeployLimits(of_each=2, of_one=4)
    registered(to, "web", str(image("a")), *[str(image("b"))] * 5)
    unused = kit.ecr.find_unused_images("app", keep_newest=0, older_than_days=0, pulled_within_days=0)
    assert unused.not_read == ("deploys of web that are older than the newest 4",)
    record = kit.recorder.records[-1]
    assert record.outcome["not_read"] == ["deploys of web that are older than the newest 4"]
    assert {by for used in unused.in_use.values() for by in used} == {
        f"deploy web.{number}" for number in (3, 4, 5, 6)
    }
