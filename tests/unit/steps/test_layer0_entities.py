"""States that are found or brought about, and jobs that are waited for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ecr_widgets.errors import (
    DeploymentFailed,
    EntityNotFound,
    InputError,
    OutcomeUnknown,
    VerifyError,
    WaitTimeout,
)
from ecr_widgets.model.layer0 import ContainerLog, Job, JobState
from ecr_widgets.model.layer0_load_balancer import HealthCheck, Port
from ecr_widgets.steps.create_task import create_task
from ecr_widgets.steps.layer0_entities import (
    create_environment,
    create_load_balancer,
    delete_environment,
    delete_load_balancer,
    delete_service,
    link_environments,
    scale_service,
)
from ecr_widgets.steps.layer0_jobs import wait_for_job
from ecr_widgets.steps.logs import Follower, follow, merge
from tests.fakes import FakeClock, FakeLayer0, World

HTTP = [Port(80, 8080, "HTTP")]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def layer0(world: World) -> FakeLayer0:
    return FakeLayer0(world)


@pytest.fixture
def clock(world: World) -> FakeClock:
    return FakeClock(world)


def test_an_environment_is_created_once(layer0: FakeLayer0, clock: FakeClock) -> None:
    """The second call finds what the first made."""
    first, second = (create_environment(layer0, clock, "prod", min_count=1) for _ in "ab")
    assert (first.changed, second.changed) == (True, False)
    assert first.environment_id == second.environment_id


def test_an_environment_whose_reply_was_lost_is_found(layer0: FakeLayer0, clock: FakeClock) -> None:
    """It is looked for by its name and not asked for again."""
    asked = []

    class Losing(FakeLayer0):
        def create_environment(self, name: str, **more):
            asked.append(super().create_environment(name, **more))
            raise OutcomeUnknown("lost")

    losing = Losing(World())
    assert create_environment(losing, clock, "prod").environment_id == asked[0].environment_id
    assert len(asked) == 1


def test_a_load_balancer_is_created_then_left_alone_then_changed(
    layer0: FakeLayer0, clock: FakeClock
) -> None:
    """Only what differs is asked for; what cannot be changed is said."""
    check = HealthCheck("HTTP:80/")
    first, same = (create_load_balancer(layer0, clock, "demo", "web", HTTP, health_check=check) for _ in "ab")
    assert (first.changed, same.changed, first.url) == (True, False, "127.0.0.1")
    other = create_load_balancer(layer0, clock, "demo", "web", HTTP, health_check=check, idle_timeout=90)
    assert other.changed
    assert layer0.read_load_balancer(first.load_balancer_id).idle_timeout == 90
    # What a server before v0.10.7 does not tell is no difference.
    older = replace(layer0.read_load_balancer(first.load_balancer_id), idle_timeout=0, cross_zone=False)
    layer0.load_balancers[first.load_balancer_id] = older
    assert not create_load_balancer(layer0, clock, "demo", "web", HTTP, health_check=check).changed
    with pytest.raises(VerifyError, match="stands and is public"):
        create_load_balancer(layer0, clock, "demo", "web", HTTP, health_check=check, is_public=False)


def test_a_load_balancer_with_a_named_certificate_is_left_alone(layer0: FakeLayer0, clock: FakeClock) -> None:
    """The server tells the ARN beside the name, which is no difference."""
    wanted, check = Port(443, 80, "HTTPS", "web"), HealthCheck("HTTP:80/")
    made = create_load_balancer(layer0, clock, "demo", "web", [wanted], health_check=check)
    told = replace(wanted, certificate_arn="arn:aws:iam::1:server-certificate/web")
    layer0.update_load_balancer(made.load_balancer_id, ports=[told])
    assert not create_load_balancer(layer0, clock, "demo", "web", [wanted], health_check=check).changed


def test_links_are_made_and_taken_away_once(layer0: FakeLayer0, clock: FakeClock) -> None:
    """What stands is left alone; an environment is not linked to itself."""
    create_environment(layer0, clock, "prod")
    changed = [
        link_environments(layer0, "demo", "prod", linked=linked).changed
        for linked in (True, True, False, False)
    ]
    assert changed == [True, False, True, False]
    with pytest.raises(InputError, match="to itself"):
        link_environments(layer0, "demo", "demo")


def service(layer0: FakeLayer0) -> str:
    demo = layer0.find_environment("demo")
    assert demo is not None
    layer0.create_deploy("d", b"{}")
    return layer0.create_service(demo.environment_id, "web", "d.1").service_id


def test_a_service_is_scaled_and_waited_for(layer0: FakeLayer0, clock: FakeClock) -> None:
    """Counts before and after; scaled to what it has it is left alone."""
    service(layer0)
    outcome = scale_service(layer0, clock, "demo", "web", 3)
    assert (outcome.previous_count, outcome.desired_count, outcome.running_count) == (1, 3, 3)
    assert not scale_service(layer0, clock, "demo", "web", 3).changed
    with pytest.raises(EntityNotFound, match="'nobody' does not exist in environment 'demo'"):
        scale_service(layer0, clock, "demo", "nobody", 1)
    with pytest.raises(InputError):
        scale_service(layer0, clock, "demo", "web", -1)


def test_what_is_gone_is_not_deleted_again(layer0: FakeLayer0, clock: FakeClock) -> None:
    """Deleting changes something once, of each kind."""
    service(layer0)
    create_load_balancer(layer0, clock, "demo", "web", HTTP, health_check=HealthCheck())
    for delete in (delete_service, delete_load_balancer):
        assert [delete(layer0, clock, "demo", "web").changed for _ in "ab"] == [True, False]
    assert [delete_environment(layer0, clock, "demo").changed for _ in "ab"] == [True, False]


def test_a_job_that_fails_is_shown_with_its_log(layer0: FakeLayer0, clock: FakeClock) -> None:
    """What went wrong is said without the marks of the job's log, which is the reasons."""

    class Talking(FakeLayer0):
        def task_logs(self, task_id: str, **more):
            lines = ("Running step 'x'", "Error: AWS Error: no room (code 'X')")
            marked = tuple(f"2026-11-24 10:00:00 [Main] INFO : {line}" for line in lines)
            return (ContainerLog("l0-job", marked),)

    talking = Talking(World())
    job_id = talking.ended("web", failed=True)
    with pytest.raises(
        DeploymentFailed, match=r"deletion failed: job \S+ ended in error: no room \(code 'X'\); "
    ) as failed:
        wait_for_job(talking, clock, job_id, what="deletion")
    assert failed.value.reasons == ("Running step 'x'", "no room (code 'X')")


def test_a_job_that_never_ends_is_waited_for_until_the_deadline(layer0: FakeLayer0, clock: FakeClock) -> None:
    """And one that Layer0 forgets has an unknown outcome."""
    layer0.jobs["j"] = Job("j", JobState.IN_PROGRESS)
    with pytest.raises(WaitTimeout, match="is in progress") as late:
        wait_for_job(layer0, clock, "j", what="deletion", timeout_s=60)
    assert 60 <= late.value.waited_s < 70
    del layer0.jobs["j"]
    with pytest.raises(OutcomeUnknown, match="no longer tells of job j"):
        wait_for_job(layer0, clock, "j", what="deletion")


@pytest.mark.parametrize("alike", [0, 1])
def test_a_task_whose_reply_was_lost_is_found_by_its_job(world: World, clock: FakeClock, alike: int) -> None:
    """It is asked for once; where somebody else asked for the same, nobody can say which is whose."""

    class Losing(FakeLayer0):
        def create_task(self, *asked):
            for _ in range(1 + alike):
                super().create_task(*asked)
            raise OutcomeUnknown("lost")

    losing = Losing(world)
    losing.create_deploy("d", b"{}")
    FakeLayer0.create_task(losing, "demo24e9e412", "job", "d.1", {})  # one of before counts for nothing
    if alike:
        with pytest.raises(OutcomeUnknown, match="found nothing"):
            create_task(losing, clock, "demo", "job", "d.1")
        return
    outcome = create_task(losing, clock, "demo", "job", "d.1", env_vars={"timeout": {"A": "1"}})
    assert (outcome.reconciled, outcome.exit_codes) == (True, {"timeout": 0})
    assert world.changes.count("create task job") == 2


def test_copies_are_told_apart_in_a_merged_log() -> None:
    """Oldest first, though Layer0 tells the newest first; one container alone keeps its plain name."""
    logs = [ContainerLog("web", ("b1", "b2")), ContainerLog("web", ("a1",)), ContainerLog("side", ("s",))]
    assert [str(line) for line in merge(logs)] == ["side | s", "web | a1", "web-2 | b1", "web-2 | b2"]


def test_a_followed_log_tells_each_line_once(clock: FakeClock) -> None:
    """Copies are known again by what they said before, also where a new one joins in front or one is gone."""
    follower = Follower()
    a, b = ("start", "a1"), ("start", "b1")
    rounds = [
        [ContainerLog("web", a)],
        [ContainerLog("web", b[:1]), ContainerLog("web", (*a, "a2"))],
        [ContainerLog("web", b), ContainerLog("web", (*a, "a2"))],
        [ContainerLog("web", (*b, "b2"))],
    ]
    told = [[str(line) for line in follower.news(each)] for each in rounds]
    assert told == [
        ["web | start", "web | a1"],
        ["web | a2", "web-2 | start"],
        ["web-2 | b1"],
        ["web-2 | b2"],
    ]
    left = iter(rounds)
    over = iter([False, False, False, True])
    lines = list(follow(clock, lambda: next(left), lambda: next(over), timeout_s=60))
    assert [line.text for line in lines] == ["start", "a1", "a2", "start", "b1", "b2"]


def test_following_ends_at_its_deadline(clock: FakeClock) -> None:
    """A service has no end of its own."""
    logs = (ContainerLog("web", ("one",)),)
    assert len(list(follow(clock, lambda: logs, lambda: False, timeout_s=5))) == 1
