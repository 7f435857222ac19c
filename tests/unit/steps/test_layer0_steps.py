"""create_deploy, deploy_service, wait, verify and create_task against the fakes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.errors import (
    DeploymentFailed,
    EntityNotFound,
    InputError,
    InvalidDockerrun,
    OutcomeUnknown,
    VerifyError,
    WaitTimeout,
)
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.layer0 import Service, Task, TaskContainer
from ecr_widgets.ports import Progress
from ecr_widgets.steps.create_deploy import create_deploy
from ecr_widgets.steps.create_task import create_task
from ecr_widgets.steps.deploy_service import ServiceOutcome, create_service, find_service, update_service
from ecr_widgets.steps.login import RegistrySession
from ecr_widgets.steps.verify import verify_service
from ecr_widgets.steps.wait import wait_for_service
from tests.fakes import REGISTRY, FakeClock, FakeEcr, FakeLayer0, FakeRegistry, World, digest_of

DOCKERRUN = Dockerrun.parse(
    json.dumps({"containerDefinitions": [{"name": "timeout", "image": "x", "memory": 10}]}).encode()
)
IMAGE = ImageReference.parse(f"{REGISTRY}/xfra-wait@{digest_of('a')}")
OTHER = ImageReference.parse(f"{REGISTRY}/xfra-wait@{digest_of('b')}")


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def layer0(world: World) -> FakeLayer0:
    return FakeLayer0(world)


def deployed(layer0: FakeLayer0, image: ImageReference = IMAGE) -> ServiceOutcome:
    deploy = create_deploy(layer0, FakeClock(layer0._world), "timeout", DOCKERRUN, image=image)
    environment, service = find_service(layer0, "demo", "timeoutsvc")
    if service is None:
        return create_service(layer0, FakeClock(layer0._world), environment, "timeoutsvc", deploy.deploy_id)
    return update_service(layer0, FakeClock(layer0._world), environment, service, deploy.deploy_id)


def test_an_equal_dockerrun_is_stored_once(layer0: FakeLayer0, world: World) -> None:
    """The second call finds the stored deploy; another image makes another."""
    first = create_deploy(layer0, FakeClock(layer0._world), "timeout", DOCKERRUN, image=IMAGE)
    again = create_deploy(layer0, FakeClock(layer0._world), "timeout", DOCKERRUN, image=IMAGE)
    other = create_deploy(layer0, FakeClock(layer0._world), "timeout", DOCKERRUN, image=OTHER)
    assert [first.changed, again.changed, other.changed] == [True, False, True]
    assert (first.deploy_id, again.deploy_id, other.deploy_id) == ("timeout.1", "timeout.1", "timeout.2")
    assert world.changes == ["create deploy timeout.1", "create deploy timeout.2"]


def test_a_record_lists_no_setting_that_was_not_stored(
    layer0: FakeLayer0, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older Layer0 knows fewer members; what it did not store is a warning."""
    store = layer0.create_deploy
    monkeypatch.setattr(
        layer0, "create_deploy", lambda name, content: store(name, content.replace(b'"user":"app",', b""))
    )
    container = {"name": "timeout", "image": "x", "user": "app", "memory": 10}
    wanted = Dockerrun.template(json.dumps({"containerDefinitions": [container]}).encode())
    made = create_deploy(layer0, FakeClock(layer0._world), "timeout", wanted, image=IMAGE)
    assert made.warnings == ("Layer0 did not store /containerDefinitions/0/user as it is",)
    assert "containerDefinitions/timeout/memory" in made.settings
    assert "containerDefinitions/timeout/user" not in made.settings


def test_a_stored_document_of_another_form_is_passed_over(layer0: FakeLayer0) -> None:
    """What others stored under the name, however odd, does not stop the step."""
    layer0.create_deploy("timeout", b'{"containerDefinitions": [{"odd": 1}]}')
    made = create_deploy(layer0, FakeClock(layer0._world), "timeout", DOCKERRUN, image=IMAGE)
    assert (made.deploy_id, made.changed) == ("timeout.2", True)


@pytest.mark.parametrize("name", ["", "a.b", "a b", "a/b", "ä"])
def test_a_deploy_name_that_layer0_refuses_is_refused_here(
    layer0: FakeLayer0, world: World, name: str
) -> None:
    """Nothing is stored under a name that cannot be used."""
    with pytest.raises(InputError):
        create_deploy(layer0, FakeClock(layer0._world), name, DOCKERRUN, image=IMAGE)
    assert world.changes == []


def test_an_unknown_container_is_refused(layer0: FakeLayer0) -> None:
    """The image is never set in a container that was not meant."""
    with pytest.raises(InvalidDockerrun, match="it has: timeout"):
        create_deploy(layer0, FakeClock(layer0._world), "timeout", DOCKERRUN, image=IMAGE, container="web")


def test_a_service_is_created_then_left_alone_then_updated(layer0: FakeLayer0, world: World) -> None:
    """Which change is due follows from what stands."""
    assert deployed(layer0).changed
    again = deployed(layer0)
    assert (again.changed, again.previous_deploy_id) == (False, "timeout.1")
    moved = deployed(layer0, OTHER)
    assert (moved.changed, moved.previous_deploy_id, moved.deploy_id) == (True, "timeout.1", "timeout.2")
    assert world.changes[1:] == [
        "create service timeoutsvc",
        "create deploy timeout.2",
        "update service to timeout.2",
    ]


def test_an_unknown_environment_is_named(layer0: FakeLayer0) -> None:
    """The error names the environment and where to look."""
    with pytest.raises(EntityNotFound, match="'staging' does not exist"):
        find_service(layer0, "staging", "timeoutsvc")


def test_a_wait_needs_good_checks_in_a_row_and_tells_progress(layer0: FakeLayer0, world: World) -> None:
    """The service starts at the second look, so three good checks take four."""
    service = deployed(layer0)
    seen: list[Progress] = []
    outcome = wait_for_service(
        layer0, FakeClock(world), service.service_id, deploy_id=service.deploy_id, progress=seen.append
    )
    assert (outcome.checks, outcome.running_count) == (4, 1)
    assert [one.done for one in seen] == [0, 1, 2, 3]


def test_a_bad_check_starts_the_count_anew(
    layer0: FakeLayer0, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three good checks that are not in a row are not stable."""
    service = deployed(layer0)
    layer0.read_service(service.service_id)
    good = layer0.read_service(service.service_id)
    bad = replace(good, running_count=0, deployments=(replace(good.deployments[0], running_count=0),))
    answers = iter([good, good, bad, good, good, good])
    monkeypatch.setattr(layer0, "read_service", lambda _: next(answers))
    outcome = wait_for_service(layer0, FakeClock(world), service.service_id, deploy_id=service.deploy_id)
    assert outcome.checks == 6


def test_a_container_that_was_started_again_meanwhile_starts_the_count_anew(
    layer0: FakeLayer0, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands at each look, and died between two of them: that is not stable; what died before the wait is past."""
    service = deployed(layer0)
    layer0.read_service(service.service_id)
    good = layer0.read_service(service.service_id)

    def after(stops: int) -> Service:
        return replace(
            good, deployments=(replace(good.deployments[0], stopped_reasons=("exit code 3",) * stops),)
        )

    answers = iter([after(1), after(1), after(2), after(2), after(2), after(2)])
    monkeypatch.setattr(layer0, "read_service", lambda _: next(answers))
    outcome = wait_for_service(layer0, FakeClock(world), service.service_id, deploy_id=service.deploy_id)
    assert outcome.checks == 6


@pytest.mark.parametrize(
    ("age_s", "stops", "waited_s"),
    [(3600.0, 0, 0.2), (3600.0, 1, 1.0), (1.0, 0, 1.0), (None, 0, 1.0)],
    ids=["settled", "has died before", "just moved", "of no known age"],
)
def test_only_what_has_long_stood_well_is_checked_in_quick_succession(
    layer0: FakeLayer0,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    age_s: float | None,
    stops: int,
    waited_s: float,
) -> None:
    """A container that fails in its first moments looks well at all of three quick looks, whoever had it started."""
    service = deployed(layer0)
    layer0.read_service(service.service_id)
    good = layer0.read_service(service.service_id)
    moved_at = datetime(1, 1, 1, tzinfo=UTC) if age_s is None else world.now - timedelta(seconds=age_s)
    deployment = replace(good.deployments[0], created_at=moved_at, stopped_reasons=("exit code 3",) * stops)
    standing = replace(good, deployments=(deployment,))
    monkeypatch.setattr(layer0, "read_service", lambda _: standing)
    outcome = wait_for_service(layer0, FakeClock(world), service.service_id, deploy_id=service.deploy_id)
    assert (outcome.checks, outcome.waited_s) == (3, pytest.approx(waited_s))


def test_a_crash_loop_ends_the_wait_early_with_reasons_and_log(world: World) -> None:
    """After the third stopped container the wait says why, long before its deadline."""
    layer0 = FakeLayer0(world, crashes=["Essential container in task exited"] * 9)
    service = deployed(layer0)
    clock = FakeClock(world)
    with pytest.raises(DeploymentFailed) as caught:
        wait_for_service(layer0, clock, service.service_id, deploy_id=service.deploy_id, timeout_s=600)
    assert caught.value.reasons == ("Essential container in task exited (3 times)",)
    assert caught.value.log[-1] == "timeout: cannot open /etc/app"
    assert not set(caught.value.log) & set(caught.value.reasons)
    assert clock.monotonic_s() < 60


def test_a_stop_without_a_reason_still_reads_as_a_sentence(world: World) -> None:
    """Where ECS tells exit codes only, the message says what they are of."""
    layer0 = FakeLayer0(world, crashes=[" (web exit code 1)"] * 9)
    service = deployed(layer0)
    with pytest.raises(DeploymentFailed, match=r": container stopped \(web exit code 1\)"):
        wait_for_service(layer0, FakeClock(world), service.service_id, deploy_id=service.deploy_id)


def test_an_image_that_cannot_be_pulled_ends_the_wait_at_once(world: World) -> None:
    """What no retry mends is not waited for."""
    layer0 = FakeLayer0(world, crashes=["CannotPullContainerError: not found"])
    service = deployed(layer0)
    with pytest.raises(DeploymentFailed, match="CannotPullContainerError"):
        wait_for_service(layer0, FakeClock(world), service.service_id, deploy_id=service.deploy_id)


def test_a_wait_ends_at_its_deadline_with_what_it_last_saw(
    layer0: FakeLayer0, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deadline's error tells the counts."""
    service = deployed(layer0)
    still = layer0.services[service.service_id]
    monkeypatch.setattr(layer0, "read_service", lambda _: still)
    with pytest.raises(WaitTimeout, match="0/1 running") as caught:
        wait_for_service(
            layer0, FakeClock(world), service.service_id, deploy_id=service.deploy_id, timeout_s=30
        )
    assert 30 <= caught.value.waited_s < 40


def verify(layer0: FakeLayer0, world: World, service: ServiceOutcome, image: ImageReference) -> str:
    ecr = FakeEcr(world)
    ecr.create_repository("xfra-wait", tags_immutable=False, scan_on_push=False)
    world.manifests.add(("xfra-wait", IMAGE.digest or ""))
    session = RegistrySession(ecr, FakeClock(world))
    return verify_service(
        layer0, FakeRegistry(world), session, service.service_id, image=image
    ).running_digest


def test_verify_finds_the_pushed_digest_running(layer0: FakeLayer0, world: World) -> None:
    """The digest is the one in the running deploy, and the registry serves it."""
    service = deployed(layer0)
    wait_for_service(layer0, FakeClock(world), service.service_id, deploy_id=service.deploy_id)
    assert verify(layer0, world, service, IMAGE) == IMAGE.digest


ODD = (
    '{{"containerdefinitions": [{{"image": "{image}", "environment": [{{"name": "A"}}, {{"name": "A"}}]}}]}}'
)
"""Stored by other means: this kit writes no such Dockerrun."""


@pytest.mark.parametrize("host", [REGISTRY, "111222333444.dkr-ecr.us-east-1.on.aws"])
@pytest.mark.parametrize("named", [True, False])
def test_a_service_that_runs_well_is_no_alarm(
    layer0: FakeLayer0,
    world: World,
    host: str,
    named: bool,  # noqa: FBT001
) -> None:
    """Whatever else its Dockerrun holds, and whichever of the registry's names it goes by."""
    document = ODD.format(image=f"{host}/xfra-wait@{IMAGE.digest}")
    stored = layer0.create_deploy("odd", document.encode())
    made = layer0.create_service("demo24e9e412", "odd", stored.deploy_id)
    wait_for_service(layer0, FakeClock(world), made.service_id, deploy_id=stored.deploy_id)
    ecr = FakeEcr(world)
    ecr.create_repository("xfra-wait", tags_immutable=False, scan_on_push=False)
    world.manifests.add(("xfra-wait", IMAGE.digest or ""))
    found = verify_service(
        layer0,
        FakeRegistry(world),
        RegistrySession(ecr, FakeClock(world)),
        made.service_id,
        image=IMAGE if named else None,
    )
    assert (found.image, found.running_digest) == (IMAGE, IMAGE.digest)


def test_verify_refuses_another_digest(layer0: FakeLayer0, world: World) -> None:
    """Another image under the same name is not what was pushed."""
    service = deployed(layer0)
    wait_for_service(layer0, FakeClock(world), service.service_id, deploy_id=service.deploy_id)
    with pytest.raises(VerifyError, match="not .*" + str(OTHER.digest)):
        verify(layer0, world, service, OTHER)


def test_verify_proves_nothing_of_a_tag(layer0: FakeLayer0, world: World) -> None:
    """A movable name cannot be verified."""
    with pytest.raises(VerifyError, match="no digest"):
        verify(layer0, world, deployed(layer0), ImageReference.parse(f"{REGISTRY}/xfra-wait:1"))


def test_a_task_gives_exit_codes_and_log(layer0: FakeLayer0, world: World) -> None:
    """The exit codes of the stopped containers are the answer."""
    outcome = create_task(layer0, FakeClock(world), "demo", "once", "timeout.1")
    assert (outcome.exit_codes, outcome.log) == ({"timeout": 0}, ("timeout: done",))


def test_a_task_that_ends_with_another_code_failed(world: World) -> None:
    """An exit code other than 0 is an error that tells it; what was written last is told apart from reasons."""
    with pytest.raises(DeploymentFailed, match="timeout with code 3") as caught:
        create_task(FakeLayer0(world, exit_code=3), FakeClock(world), "demo", "once", "timeout.1")
    assert (caught.value.reasons, caught.value.log) == ((), ("timeout: done",))


class Ended(FakeLayer0):
    """Its tasks end as a test says."""

    def __init__(self, world: World, *containers: TaskContainer, reason: str = "") -> None:
        super().__init__(world)
        self._containers, self._reason = containers, reason

    def read_task(self, task_id: str) -> Task:
        return Task(task_id, "once", "demo24e9e412", "timeout.1", 0, 0, self._reason, self._containers)


@pytest.mark.parametrize(
    ("containers", "reason", "told"),
    [
        ([TaskContainer("a", "STOPPED", 137, "OutOfMemoryError: x")], "", "a with code 137 (OutOfMemoryError: x)"),
        ([TaskContainer("a", "STOPPED", 137, "")], "", "a with code 137 (killed, for which the usual reason is"),
        ([TaskContainer("a", "STOPPED", 1, "")], "Essential container exited", "a with code 1;"),
        ([TaskContainer("a", "STOPPED", None, "CannotPull: x")], "y", "a never ran (CannotPull: x)"),
        ([TaskContainer("a", "STOPPED", None, "")], "CannotStart: x", "a never ran (CannotStart: x)"),
        (
            [TaskContainer("a", "STOPPED", 3, ""), TaskContainer("b", "STOPPED", 0, "")],
            "",
            "a with code 3; b with code 0;",
        ),
    ],
)  # fmt: skip
def test_a_failed_task_says_why_each_container_ended(
    world: World, containers: list[TaskContainer], reason: str, told: str
) -> None:
    """In the message itself: what the engine says, and for a kill without a word what is behind it most often."""
    with pytest.raises(DeploymentFailed) as failed:
        create_task(Ended(world, *containers, reason=reason), FakeClock(world), "demo", "once", "timeout.1")
    assert told in str(failed.value)


def test_a_task_whose_image_cannot_be_pulled_failed(world: World) -> None:
    """A container that never ran has no exit code, and the reason is told."""
    reason = "CannotPullContainerError: nosuch:1 not found"
    layer0 = Ended(world, TaskContainer("a", "STOPPED", None, reason))
    with pytest.raises(DeploymentFailed, match="a never ran") as failed:
        create_task(layer0, FakeClock(world), "demo", "once", "timeout.1")
    assert failed.value.reasons[0] == f"a: {reason}"


def test_a_task_that_could_not_start_at_all_is_not_waited_for(world: World) -> None:
    """Where only the task has a reason its stopped containers are as good as ended."""
    layer0 = Ended(world, TaskContainer("a", "STOPPED", None, ""), reason="ResourceInitializationError: x")
    with pytest.raises(DeploymentFailed, match="never ran"):
        create_task(layer0, FakeClock(world), "demo", "once", "timeout.1", timeout_s=5.0)


def test_a_task_that_vanishes_while_it_is_waited_for_has_an_unknown_outcome(world: World) -> None:
    """The server's janitor forgets what ended: that proves neither success nor failure."""

    class Forgetful(FakeLayer0):
        def read_task(self, task_id: str) -> Task:
            raise EntityNotFound(f"Failed to find environment for task {task_id}", status=404, code=29)

    with pytest.raises(OutcomeUnknown, match="no longer tells of task"):
        create_task(Forgetful(world), FakeClock(world), "demo", "once", "timeout.1")
