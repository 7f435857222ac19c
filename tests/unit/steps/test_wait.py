"""Waiting for a service: stable after several good checks in a row, and given up early if hopeless."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ecr_widgets.errors import DeploymentFailed, WaitTimeout
from ecr_widgets.model.services import Service
from ecr_widgets.ports import Progress
from ecr_widgets.steps.check_target import CheckTarget
from ecr_widgets.steps.deploy_service import ServiceOutcome
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.wait import Wait
from tests.fakes import FakeLayer0, World
from tests.fakes.connections import FakeConnections, perform
from tests.unit.steps.deployed import deployed


def standing(outside: Outside, to: FakeConnections, *, moved_at: datetime) -> ServiceOutcome:
    """Deploy a service that was moved at that time, and let it get stable."""
    service = deployed(outside)
    to.layer0.read_service(service.service_id)
    stable = to.layer0.read_service(service.service_id)
    deployment = replace(stable.deployments[0], created_at=moved_at)
    to.layer0.services[service.service_id] = replace(stable, deployments=(deployment,))
    return service


def test_a_wait_needs_good_checks_in_a_row_and_reports_progress(outside: Outside) -> None:
    """A wait needs three good checks in a row and reports progress at each check."""
    seen: list[Progress] = []
    outcome = perform(Wait(deployed(outside)), outside, seen.append)
    assert (outcome.checks, outcome.running_count) == (4, 1)
    assert [one.done for one in seen] == [0, 1, 2, 3]


def test_a_bad_check_starts_the_count_anew(
    outside: Outside, to: FakeConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad check starts the count of good checks again."""
    service = deployed(outside)
    to.layer0.read_service(service.service_id)
    good = to.layer0.read_service(service.service_id)
    bad = replace(good, running_count=0, deployments=(replace(good.deployments[0], running_count=0),))
    answers = iter([good, good, bad, good, good, good])
    monkeypatch.setattr(to.layer0, "read_service", lambda _: next(answers))
    assert perform(Wait(service), outside).checks == 6


def test_a_container_that_was_started_again_meanwhile_starts_the_count_anew(
    outside: Outside, to: FakeConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container that stopped between two checks starts the count again; one that stopped before the wait does not."""
    service = deployed(outside)
    to.layer0.read_service(service.service_id)
    good = to.layer0.read_service(service.service_id)

    def after(stops: int) -> Service:
        return replace(
            good, deployments=(replace(good.deployments[0], stopped_reasons=("exit code 3",) * stops),)
        )

    answers = iter([after(1), after(1), after(2), after(2), after(2), after(2)])
    monkeypatch.setattr(to.layer0, "read_service", lambda _: next(answers))
    assert perform(Wait(service), outside).checks == 6


def test_a_wait_tells_how_copies_moved_from_one_deploy_to_the_other(
    outside: Outside, to: FakeConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The outcome has the copies of old and new deploys at each change; without a move there are none."""
    service = deployed(outside)
    to.layer0.read_service(service.service_id)
    good = to.layer0.read_service(service.service_id)
    new = good.deployments[0]
    old = replace(new, deployment_id="old", deploy_id="web.0", status="ACTIVE")
    rolling = replace(good, deployments=(replace(new, running_count=0), old))
    answers = iter([rolling, rolling, replace(good, deployments=(new, old)), good, good, good])
    monkeypatch.setattr(to.layer0, "read_service", lambda _: next(answers))
    outcome = perform(Wait(service), outside)
    assert [counts for _, *counts in outcome.copies_by_s] == [[1, 0], [1, 1], [0, 1], [0, 1]]
    assert outcome.copies_by_s[-1][0] == outcome.waited_s
    monkeypatch.setattr(to.layer0, "read_service", lambda _: good)
    assert perform(Wait(service), outside).copies_by_s == ()


@pytest.mark.parametrize(
    ("age_s", "stops", "waited_s"),
    [(3600.0, 0, 0.2), (3600.0, 1, 1.0), (1.0, 0, 1.0), (None, 0, 1.0)],
    ids=["settled", "has died before", "just moved", "of no known age"],
)
def test_only_what_has_long_run_well_is_checked_in_quick_succession(
    outside: Outside,
    to: FakeConnections,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    age_s: float | None,
    stops: int,
    waited_s: float,
) -> None:
    """Checks follow quickly only for a deployment that has long run well; a young one is checked for longer."""
    service = deployed(outside)
    to.layer0.read_service(service.service_id)
    good = to.layer0.read_service(service.service_id)
    moved_at = datetime(1, 1, 1, tzinfo=UTC) if age_s is None else world.now - timedelta(seconds=age_s)
    deployment = replace(good.deployments[0], created_at=moved_at, stopped_reasons=("exit code 3",) * stops)
    still = replace(good, deployments=(deployment,))
    monkeypatch.setattr(to.layer0, "read_service", lambda _: still)
    outcome = perform(Wait(service), outside)
    assert (outcome.checks, outcome.waited_s) == (3, pytest.approx(waited_s))


@pytest.mark.parametrize(
    ("age_s", "passed_s", "checks", "waited_s"),
    [(1.0, 7.0, 2, 0.5), (3600.0, 7.0, 2, 0.1), (1.0, 0.2, 3, 0.8)],
    ids=["just moved", "settled", "seen only now"],
)
def test_what_the_run_saw_before_is_the_first_good_check(
    outside: Outside,
    to: FakeConnections,
    world: World,
    age_s: float,
    passed_s: float,
    checks: int,
    waited_s: float,
) -> None:
    """If the service is still as `check_target` saw it, no time that has passed since is waited for again."""
    service = standing(outside, to, moved_at=world.now - timedelta(seconds=age_s))
    perform(CheckTarget(environment="demo", service="timeoutsvc"), outside)
    to.clock.sleep(passed_s)
    outcome = perform(Wait(service), outside)
    assert (outcome.checks, outcome.waited_s) == (checks, pytest.approx(waited_s))


@pytest.mark.parametrize(
    "changed",
    [{"stopped_reasons": ("exit code 3",)}, {"deployment_id": "another"}, {"desired_count": 2, "running_count": 2}],
    ids=["a container has died", "it was deployed again", "it was scaled"],
)  # fmt: skip
def test_what_the_run_saw_before_is_no_check_if_anything_has_changed_since(
    outside: Outside, to: FakeConnections, world: World, changed: dict[str, Any]
) -> None:
    """A service that is not exactly as `check_target` saw it is checked for as long as if nobody had seen it."""
    service = standing(outside, to, moved_at=world.now - timedelta(seconds=1))
    perform(CheckTarget(environment="demo", service="timeoutsvc"), outside)
    to.clock.sleep(7.0)
    seen = to.layer0.services[service.service_id]
    now = replace(seen.deployments[0], **changed)
    counts = {"desired_count": now.desired_count, "running_count": now.running_count}
    to.layer0.services[service.service_id] = replace(seen, deployments=(now,), **counts)
    outcome = perform(Wait(service), outside)
    assert (outcome.checks, outcome.waited_s) == (3, pytest.approx(1.0))


def test_a_crash_loop_ends_the_wait_early_with_reasons_and_log(
    outside: Outside, to: FakeConnections, world: World
) -> None:
    """The third stopped container ends the wait early, with reasons and log."""
    to.layer0 = FakeLayer0(world, crashes=["Essential container in task exited"] * 9)
    service = deployed(outside)
    began = to.clock.monotonic_s()
    with pytest.raises(DeploymentFailed) as caught:
        perform(Wait(service, timeout_s=600), outside)
    assert caught.value.reasons == ("Essential container in task exited (3 times)",)
    assert caught.value.log[-1] == "timeout: cannot open /etc/app"
    assert not set(caught.value.log) & set(caught.value.reasons)
    assert to.clock.monotonic_s() - began < 60


def test_a_stop_without_a_reason_still_reads_as_a_sentence(
    outside: Outside, to: FakeConnections, world: World
) -> None:
    """A stopped container without a reason is reported with its exit code."""
    to.layer0 = FakeLayer0(world, crashes=[" (web exit code 1)"] * 9)
    with pytest.raises(DeploymentFailed, match=r": container stopped \(web exit code 1\)"):
        perform(Wait(deployed(outside)), outside)


def test_an_image_that_cannot_be_pulled_ends_the_wait_at_once(
    outside: Outside, to: FakeConnections, world: World
) -> None:
    """An image that cannot be pulled ends the wait at once."""
    to.layer0 = FakeLayer0(world, crashes=["CannotPullContainerError: not found"])
    with pytest.raises(DeploymentFailed, match="CannotPullContainerError"):
        perform(Wait(deployed(outside)), outside)


def test_a_wait_ends_at_its_deadline_with_what_it_last_saw(
    outside: Outside, to: FakeConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At its deadline the wait ends with an error that gives the last counts."""
    service = deployed(outside)
    still = to.layer0.services[service.service_id]
    monkeypatch.setattr(to.layer0, "read_service", lambda _: still)
    with pytest.raises(WaitTimeout, match="0/1 running") as caught:
        perform(Wait(service, timeout_s=30), outside)
    assert 30 <= caught.value.waited_s < 40
