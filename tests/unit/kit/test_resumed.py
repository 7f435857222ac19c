"""A resumed run: what its earlier attempts started is found, and they know where a service came from."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from ecr_widgets.errors import DeploymentFailed, OutcomeUnknown, RollbackFailed
from ecr_widgets.kit import Kit
from ecr_widgets.model.layer0 import JobState
from ecr_widgets.model.record import RunState, StepRecord, StepState
from ecr_widgets.model.run import RunHeader
from ecr_widgets.recording.earlier import EarlierRecords, open_earlier
from ecr_widgets.recording.recorder import Recorder
from ecr_widgets.recording.terminal import QuietSink
from ecr_widgets.saved_runs.writing import write_header
from tests.fakes import FakeLayer0, World
from tests.fakes.connections import FakeConnections


def attempt(to: FakeConnections, *earlier: tuple[StepRecord, ...]) -> Kit:
    """A kit for the next attempt of a run whose earlier attempts left these records."""
    recorder = Recorder("run-1", to.clock, QuietSink(), earlier=EarlierRecords(earlier))
    return Kit(to, recorder, files=())


def killed(kit: Kit) -> tuple[StepRecord, ...]:
    """The records of an attempt that was killed before its last outcome was saved."""
    *before, last = kit.recorder.records
    return (*before, structs.replace(last, state=StepState.INTENDED, outcome={}, changed=None, error=None))


def started(world: World) -> int:
    return world.changes.count("create task once")


def run(kit: Kit, **env: str) -> object:
    return kit.create_task("demo", "once", "web.1", env_vars={"web": env})


def test_a_task_that_a_killed_attempt_started_is_waited_for(to: FakeConnections, world: World) -> None:
    """A task that a killed attempt started is waited for, not started again, in each further attempt."""
    first = attempt(to)
    run(first)
    second = attempt(to, killed(first))
    run(second)
    third = attempt(to, killed(first), killed(second))
    run(third)
    assert started(world) == 1
    assert third.recorder.records[-1].outcome["task_id"] == "task00000000"
    assert third.recorder.records[-1].changed is False


def test_an_attempt_that_was_killed_while_it_looked_has_started_nothing(
    to: FakeConnections, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attempt killed before it listed the jobs started nothing, so the next attempt starts its own task."""
    run(attempt(to))
    first = attempt(to)
    with monkeypatch.context() as broken:
        broken.setattr(to.layer0, "list_jobs", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(first)
    assert first.recorder.records[-1].inputs["known_jobs"] is None
    run(attempt(to, killed(first)))
    assert started(world) == 2


def test_a_second_attempt_that_was_killed_while_it_looked_changes_nothing(
    to: FakeConnections, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the second attempt was killed while it looked, the third still finds the first one's task."""
    first = attempt(to)
    run(first)
    second = attempt(to, killed(first))
    with monkeypatch.context() as broken:
        broken.setattr(to.layer0, "list_jobs", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(second)
    run(attempt(to, killed(first), killed(second)))
    assert started(world) == 1


def test_a_repeated_request_can_be_told_from_a_new_one(to: FakeConnections) -> None:
    """Attempts use the same token until the task's end is known; a new call has a new token."""
    first = attempt(to)
    run(first)
    second = attempt(to, killed(first))
    run(second)
    run(second)
    again, new = (each.inputs["start_id"] for each in second.recorder.records)
    assert again == first.recorder.records[-1].inputs["start_id"] != new


def test_a_task_that_succeeded_is_not_run_again(to: FakeConnections, world: World) -> None:
    """A task that succeeded is not started again, even if the server has forgotten it."""
    first = attempt(to)
    ran = first.create_task("demo", "once", "web.1")
    to.layer0.jobs.clear()
    second = attempt(to, first.recorder.records)
    assert second.create_task("demo", "once", "web.1") == replace(ran, changed=False)
    assert started(world) == 1


def test_a_task_that_failed_is_run_once_more(world: World) -> None:
    """A task that failed is started once more by the next attempt."""
    to = FakeConnections(world)
    to.layer0 = FakeLayer0(world, exit_code=3)
    first = attempt(to)
    with pytest.raises(DeploymentFailed):
        run(first)
    to.layer0._exit_code = 0
    run(attempt(to, first.recorder.records))
    assert started(world) == 2


def test_a_task_that_was_never_asked_for_is_started(to: FakeConnections, world: World) -> None:
    """An equal task of another run is not taken for the resumed run's own."""
    run(attempt(to))
    first = attempt(to)
    run(first)
    asked = killed(first)
    to.layer0.delete_job("job000000001")
    run(attempt(to, asked))
    assert started(world) == 3


def test_another_request_is_another_task(to: FakeConnections, world: World) -> None:
    """A request with other variable values is another task and is started."""
    first = attempt(to)
    run(first, LEVEL="1")
    run(attempt(to, killed(first)), LEVEL="2")
    assert started(world) == 2


def test_which_of_two_jobs_is_meant_is_not_guessed(to: FakeConnections, world: World) -> None:
    """If two jobs match the killed attempt's request, the outcome is unknown and no third task is started."""
    first = attempt(to)
    run(first)
    run(attempt(to))
    with pytest.raises(OutcomeUnknown, match="2 requests ask for task 'once' just as this run did"):
        run(attempt(to, killed(first)))
    assert started(world) == 2


def test_what_layer0_has_forgotten_is_not_asked_for_again(to: FakeConnections, world: World) -> None:
    """If a killed attempt's job is gone after two hours, the outcome is unknown and no task is started."""
    first = attempt(to)
    run(first)
    to.layer0.jobs.clear()
    world.now += timedelta(hours=2)
    with pytest.raises(OutcomeUnknown, match="what became of it is no longer reported"):
        run(attempt(to, killed(first)))
    assert started(world) == 1


def test_of_two_equal_calls_each_finds_its_own(to: FakeConnections, world: World) -> None:
    """Of two equal calls, each finds its own task again, and none is started."""
    first = attempt(to)
    run(first)
    run(first)
    second = attempt(to, killed(first))
    run(second)
    run(second)
    told = [record.outcome["task_id"] for record in second.recorder.records]
    assert (started(world), told) == (2, ["task00000000", "task00000001"])
    *_, last = killed(first)
    third = attempt(to, (structs.replace(first.recorder.records[0], state=StepState.UNKNOWN), last))
    run(third)
    assert (started(world), third.recorder.records[0].outcome["task_id"]) == (2, "task00000000")


def test_a_start_that_failed_leaves_nothing_to_wait_for(to: FakeConnections, world: World) -> None:
    """After a start that failed, the next attempt requests the task again."""

    class Fails(FakeLayer0):
        def start_task(self, *asked: Any, **more: Any) -> str:
            job_id = super().start_task(*asked, **more)
            self.jobs[job_id] = replace(self.jobs[job_id], meta=(), state=JobState.ERROR)
            return job_id

    to.layer0 = Fails(world)
    first = attempt(to)
    with pytest.raises(DeploymentFailed):
        run(first)
    with pytest.raises(DeploymentFailed):
        run(attempt(to, first.recorder.records))
    assert started(world) == 2


def read(address: str) -> bytes:
    return Path(address).read_bytes()


def test_earlier_records_are_those_of_the_same_run(tmp_path: Path, to: FakeConnections) -> None:
    """Earlier records are read only for the run's own id, not for a run that inherited its variables."""
    kit = attempt(to)
    run(kit)
    told = [json.loads(record.to_json()) for record in kit.recorder.records]
    saved = tmp_path / "run.ipynb"
    header = RunHeader(
        version=1, run_id="run-1", runbook="mine", state=RunState.RUNNING, parameters={}, started_at=to.clock.now(),
        attempts=[{"records": [*told, {}]}],
    )  # fmt: skip
    notebook: dict[str, Any] = {"cells": [], "metadata": {}, "nbformat": 4}
    write_header(notebook, header)
    saved.write_text(json.dumps(notebook))
    known = open_earlier(str(saved), "run-1", read)
    assert list(known.of_step("create_task")) == list(kit.recorder.records)
    assert open_earlier(str(saved), "run-1", read) is known
    assert list(open_earlier(str(saved), "run-2", read).of_step("create_task")) == []


def crashing(world: World) -> FakeConnections:
    """A service on web.1 that crashes from now on, until it is moved back."""
    to = FakeConnections(world, crashes=["Exited (1)"] * 9)
    for image in "abc":
        to.layer0.create_deploy("web", json.dumps({"image": image}).encode())
    to.layer0.create_service("demo24e9e412", "web", "web.1")
    return to


def fail(to: FakeConnections, kit: Kit, deploy_id: str) -> DeploymentFailed | RollbackFailed:
    """Deploy what crashes, with a way back that works."""
    running = kit.deploy_service("demo", "web", deploy_id)
    update = to.layer0.update_service

    def mend(service_id: str, back: str) -> object:
        to.layer0._crashes = ()
        return update(service_id, back)

    to.layer0.update_service = mend  # type: ignore[method-assign,assignment]
    with pytest.raises((DeploymentFailed, RollbackFailed)) as failed:
        kit.wait(running, on_failure="rollback")
    return failed.value


def test_a_resumed_run_goes_back_to_where_its_first_attempt_came_from(world: World) -> None:
    """A resumed run rolls back to the deploy from before its first attempt."""
    to = crashing(world)
    first = attempt(to)
    first.deploy_service("demo", "web", "web.3")
    told = fail(to, attempt(to, killed(first)), "web.3")
    assert "rolled back to deploy web.1" in str(told)


def test_a_fresh_run_goes_back_to_what_still_runs_beside(world: World) -> None:
    """A new run rolls back to the deploy that still runs beside the failing one."""
    to = crashing(world)
    made = to.layer0.create_service("demo24e9e412", "web", "web.3")
    (primary,) = made.deployments
    old = replace(primary, deploy_id="web.1", status="ACTIVE", running_count=1)
    to.layer0.services[made.service_id] = replace(made, deployments=(primary, old))
    assert "rolled back to deploy web.1" in str(fail(to, attempt(to), "web.3"))


def test_a_fresh_run_goes_back_to_what_was_verified(world: World) -> None:
    """Without other running copies, a new run rolls back to the newest verified older deploy, and fails without one."""
    to = crashing(world)
    to.layer0.create_service("demo24e9e412", "web", "web.3")
    assert isinstance(fail(to, attempt(to), "web.3"), RollbackFailed)
    assert world.changes.count("update service to web.2") == 0
    to.layer0._crashes = ("Exited (1)",) * 9
    to.proven = frozenset({"web.1"})
    assert "rolled back to deploy web.1" in str(fail(to, attempt(to), "web.3"))
