"""Finding a task by name, environment or id."""

from __future__ import annotations

import pytest

from ecr_widgets.errors import EntityNotFound, InputError
from ecr_widgets.steps.delete_task import DeleteTask
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.task_lookup import find_task
from tests.fakes import FakeLayer0
from tests.fakes.connections import FakeConnections, perform


@pytest.fixture
def layer0(to: FakeConnections) -> FakeLayer0:
    """Two tasks of one name, and one with a name of its own."""
    to.layer0.create_deploy("d", b"{}")
    environment = to.layer0.find_environment("demo")
    assert environment is not None
    for name in ("backup", "backup", "once"):
        to.layer0.start_task(environment.environment_id, name, "d.1", {}, run_id="", token="")
    return to.layer0


@pytest.mark.parametrize("text", ["once", "demo:once", "task00000002"])
def test_a_task_is_found_by_name_environment_and_id(layer0: FakeLayer0, text: str) -> None:
    """A task is found by name, environment and name, or id, as `l0` finds it."""
    assert find_task(layer0, text).task_id == "task00000002"


@pytest.mark.parametrize("text", ["none", "other:once", "demo:none"])
def test_a_task_that_is_not_there_is_an_error(layer0: FakeLayer0, text: str) -> None:
    """A task that does not exist, or not in the given environment, is an error."""
    with pytest.raises(EntityNotFound):
        find_task(layer0, text)


def test_several_tasks_of_one_name_are_listed(layer0: FakeLayer0, outside: Outside) -> None:
    """If several tasks have the name, they are listed in the error and none is deleted."""
    with pytest.raises(
        InputError, match="several tasks are called 'backup': task00000000 in demo, task00000001"
    ):
        perform(DeleteTask("backup"), outside)
    assert len(layer0.tasks) == 3


def test_a_task_is_deleted_by_its_name(layer0: FakeLayer0, outside: Outside) -> None:
    """A task is deleted by its name, once, and the outcome has its id."""
    done = perform(DeleteTask("once"), outside)
    assert (done.changed, done.name, done.entity_id) == (True, "once", "task00000002")
    assert "task00000002" not in layer0.tasks
    assert not perform(DeleteTask("once"), outside).changed
