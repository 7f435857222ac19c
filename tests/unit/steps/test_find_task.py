"""A task by what people call it."""

from __future__ import annotations

import pytest

from ecr_widgets.errors import EntityNotFound, InputError
from ecr_widgets.steps.find_task import find_task
from ecr_widgets.steps.layer0_upkeep import delete_task
from tests.fakes import FakeLayer0, World


@pytest.fixture
def layer0() -> FakeLayer0:
    """Two tasks of one name, and one with a name of its own."""
    made = FakeLayer0(World())
    made.create_deploy("d", b"{}")
    environment = made.find_environment("demo")
    assert environment is not None
    for name in ("backup", "backup", "once"):
        made.create_task(environment.environment_id, name, "d.1", overrides={})
    return made


@pytest.mark.parametrize("text", ["once", "demo:once", "task00000002"])
def test_a_task_is_found_by_name_environment_and_id(layer0: FakeLayer0, text: str) -> None:
    """As `l0` finds it."""
    assert find_task(layer0, text).task_id == "task00000002"


@pytest.mark.parametrize("text", ["none", "other:once", "demo:none"])
def test_a_task_that_is_not_there_is_an_error(layer0: FakeLayer0, text: str) -> None:
    """The environment counts where it is given."""
    with pytest.raises(EntityNotFound):
        find_task(layer0, text)


def test_several_tasks_of_one_name_are_listed(layer0: FakeLayer0) -> None:
    """Which of them is meant is never guessed, least of all where one is deleted."""
    with pytest.raises(
        InputError, match="several tasks are called 'backup': task00000000 in demo, task00000001"
    ):
        delete_task(layer0, "backup")
    assert len(layer0.tasks) == 3


def test_a_task_is_deleted_by_its_name(layer0: FakeLayer0) -> None:
    """The outcome has its id."""
    done = delete_task(layer0, "once")
    assert (done.changed, done.name) == (True, "once")
    assert "task00000002" not in layer0.tasks
    assert not delete_task(layer0, "once").changed
