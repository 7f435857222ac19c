"""Tasks: their containers' exit codes decide, and failures say why."""

from __future__ import annotations

import pytest

from ecr_widgets.errors import DeploymentFailed, EntityNotFound, OutcomeUnknown
from ecr_widgets.model.services import Task, TaskContainer
from ecr_widgets.steps.create_task import CreateTask
from ecr_widgets.steps.shared.outside import Outside
from tests.fakes import FakeLayer0, World
from tests.fakes.connections import FakeConnections, perform

ONCE = CreateTask("demo", "once", "timeout.1")


def test_a_task_gives_exit_codes_and_log(outside: Outside) -> None:
    """A task's outcome has the exit codes of its containers and its log."""
    outcome = perform(ONCE, outside)
    assert (outcome.exit_codes, outcome.log) == ({"timeout": 0}, ("timeout: done",))


def test_a_task_that_ends_with_another_code_failed(
    outside: Outside, to: FakeConnections, world: World
) -> None:
    """A task that ends with another exit code than 0 is an error with the code and, apart from reasons, the log."""
    to.layer0 = FakeLayer0(world, exit_code=3)
    with pytest.raises(DeploymentFailed, match="timeout with code 3") as caught:
        perform(ONCE, outside)
    assert (caught.value.reasons, caught.value.log) == ((), ("timeout: done",))


class Ended(FakeLayer0):
    """A Layer0 whose tasks end as a test says."""

    def __init__(self, world: World, *containers: TaskContainer, reason: str = "") -> None:
        super().__init__(world)
        self._containers, self._reason = containers, reason

    def read_task(self, task_id: str) -> Task:
        return Task(task_id, "once", "demo24e9e412", "timeout.1", 0, 0, self._reason, self._containers)


@pytest.mark.parametrize(
    ("containers", "reason", "how"),
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
    outside: Outside,
    to: FakeConnections,
    world: World,
    containers: list[TaskContainer],
    reason: str,
    how: str,
) -> None:
    """The error says why each container ended: the engine's reason, or for a kill without one the likely cause."""
    to.layer0 = Ended(world, *containers, reason=reason)
    with pytest.raises(DeploymentFailed) as failed:
        perform(ONCE, outside)
    assert how in str(failed.value)


def test_a_task_whose_image_cannot_be_pulled_failed(
    outside: Outside, to: FakeConnections, world: World
) -> None:
    """A task whose image cannot be pulled fails with the reason, and its container is said never to have run."""
    reason = "CannotPullContainerError: nosuch:1 not found"
    to.layer0 = Ended(world, TaskContainer("a", "STOPPED", None, reason))
    with pytest.raises(DeploymentFailed, match="a never ran") as failed:
        perform(ONCE, outside)
    assert failed.value.reasons[0] == f"a: {reason}"


def test_a_task_that_could_not_start_at_all_is_not_waited_for(
    outside: Outside, to: FakeConnections, world: World
) -> None:
    """If a task gives a reason and its containers stopped without exit codes, the wait ends."""
    to.layer0 = Ended(world, TaskContainer("a", "STOPPED", None, ""), reason="ResourceInitializationError: x")
    with pytest.raises(DeploymentFailed, match="never ran"):
        perform(CreateTask("demo", "once", "timeout.1", timeout_s=5.0), outside)


def test_a_task_that_vanishes_while_it_is_waited_for_has_an_unknown_outcome(
    outside: Outside, to: FakeConnections, world: World
) -> None:
    """A task that Layer0 no longer reports has an unknown outcome."""

    class Forgetful(FakeLayer0):
        def read_task(self, task_id: str) -> Task:
            raise EntityNotFound(f"Failed to find environment for task {task_id}", status=404, code=29)

    to.layer0 = Forgetful(world)
    with pytest.raises(OutcomeUnknown, match="no longer reports task"):
        perform(ONCE, outside)


@pytest.mark.parametrize("alike", [0, 1])
def test_a_task_whose_reply_was_lost_is_found_by_its_job(
    outside: Outside, to: FakeConnections, world: World, alike: int
) -> None:
    """If the reply to a task is lost, the task is found by its job; if there are several alike, its outcome is unknown."""

    class Losing(FakeLayer0):
        def start_task(self, *asked, **more):
            for _ in range(1 + alike):
                super().start_task(*asked, **more)
            raise OutcomeUnknown("lost")

    to.layer0 = Losing(world)
    to.layer0.create_deploy("d", b"{}")
    FakeLayer0.start_task(
        to.layer0, "demo24e9e412", "job", "d.1", {}, run_id="", token=""
    )  # an earlier one does not count
    if alike:
        with pytest.raises(OutcomeUnknown, match="found nothing"):
            perform(CreateTask("demo", "job", "d.1"), outside)
        return
    outcome = perform(CreateTask("demo", "job", "d.1", env_vars={"timeout": {"A": "1"}}), outside)
    assert (outcome.reconciled, outcome.exit_codes) == (True, {"timeout": 0})
    assert world.changes.count("create task job") == 2
