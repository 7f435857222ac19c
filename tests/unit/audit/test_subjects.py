"""What a run touched, in the terms people search by."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ecr_widgets.audit.run import Cell, Origin, Run
from ecr_widgets.audit.subjects import subjects_of
from ecr_widgets.model.record import RunState, StepRecord, StepState

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SERVICE = ("service", "demo/web")


def step(name: str, inputs: dict[str, Any], state: str = "succeeded", **outcome: Any) -> StepRecord:
    return StepRecord(1, "r", 1, name, StepState(state), inputs, outcome, NOW, changed=False)


def run(*steps: StepRecord) -> Run:
    cell = Cell("c", 1, None, (), steps)
    return Run(
        version=1, run_id="r", runbook="mine", state=RunState.SUCCEEDED, parameters={}, started_at=NOW, ended_at=NOW,
        path="a.ipynb", origin=Origin.ENGINE, cells=(cell,),
    )  # fmt: skip


FULL = {"environment": "demo", "service": "web"}
OLD = {"service": "web"}
"""As rollback, wait and verify recorded it in earlier releases."""


@pytest.mark.parametrize(
    "name",
    [
        "create_service",
        "update_service",
        "rollback",
        "find_service",
        "scale_service",
        "wait",
        "verify",
        "check_target",
    ],
)
def test_each_step_about_a_service_is_found_by_it(name: str) -> None:
    """A run is found by any service that one of its steps changed or looked at."""
    assert subjects_of(run(step(name, FULL))).pairs >= {SERVICE}


@pytest.mark.parametrize("name", ["rollback", "wait", "verify"])
def test_an_older_record_is_of_the_environment_that_other_steps_tell(name: str) -> None:
    """A record without an environment gets it from another step about the same service, if only one is possible."""
    found = run(step("update_service", FULL), step(name, OLD, service_id="s1"))
    assert {pair for pair in subjects_of(found).pairs if pair[0] == "service"} == {SERVICE}
    both = run(
        step("find_service", FULL), step("find_service", {**FULL, "environment": "x"}), step(name, OLD)
    )
    assert ("service", "web") in subjects_of(both).pairs


def test_a_failed_release_that_was_rolled_back_deployed_to_one_service() -> None:
    """A failed release that was rolled back counts as deployed to one service."""
    found = run(step("update_service", FULL), step("wait", OLD, "failed"), step("rollback", OLD, "failed"))
    assert subjects_of(found).deployed == {"demo/web": True}


def test_only_a_verify_that_succeeded_says_that_a_service_is_well() -> None:
    """Only a successful verify counts a service as verified, and a scale counts as no deploy."""
    both = run(step("verify", FULL), step("verify", {**FULL, "service": "api"}, "failed"))
    assert subjects_of(both).verified == {"demo/web"}
    assert subjects_of(run(step("scale_service", FULL))).deployed == {}


def test_an_adopted_service_is_one_by_all_its_names() -> None:
    """A successful adoption links all names of the service; a failed one links none."""
    names = {
        "same_environment": "ecs:l0-p-demo1",
        "same_service": "l0-p-web1",
        "to_environment": "ecs:live",
        "to_service": "web",
    }
    all_names = {"demo/web", "ecs:l0-p-demo1/l0-p-web1", "ecs:live/web"}
    found = subjects_of(run(step("adopt", FULL, **names)))
    assert found.adopted == all_names
    assert {name for kind, name in found.pairs if kind == "service"} == all_names
    failed = subjects_of(run(step("adopt", FULL, state="failed")))
    assert failed.adopted == frozenset()
    assert SERVICE in failed.pairs
