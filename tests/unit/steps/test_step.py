"""Which fields of a step its record shows, and what a step that only reads leaves out."""

from __future__ import annotations

from dataclasses import KW_ONLY, FrozenInstanceError, dataclass
from typing import ClassVar

import pytest

from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.step import Look, Step, if_given, unrecorded
from tests.fakes import World
from tests.fakes.connections import perform


@dataclass(frozen=True)
class Paint(Step[None, str]):
    """Has a field of each kind."""

    step: ClassVar = "paint"

    wall: str
    _: KW_ONLY
    coats: int = 1
    colour: str = if_given("")
    password: str = unrecorded("")
    confirmed: str = unrecorded()


def test_a_record_shows_every_plain_field_whatever_it_holds(outside: Outside) -> None:
    """That something was 0, false or empty was asked for as well."""
    assert Paint("", coats=0, confirmed="").inputs(outside) == {"wall": "", "coats": 0}


@pytest.mark.parametrize(("colour", "shown"), [("", {}), ("red", {"colour": "red"})])
def test_a_field_that_is_optional_is_recorded_where_it_was_given(
    outside: Outside, colour: str, shown: dict[str, str]
) -> None:
    """A call that leaves it out has the record that it had before there was such a field."""
    inputs = Paint("north", colour=colour, confirmed="").inputs(outside)
    assert inputs == {"wall": "north", "coats": 1} | shown


def test_a_record_never_shows_a_field_that_is_unrecorded(outside: Outside) -> None:
    """Neither its name nor its value, whether it has a default or must be given."""
    step = Paint("north", password="hunter22", confirmed="north")
    assert step.inputs(outside).keys() == {"wall", "coats"}
    with pytest.raises(TypeError, match="confirmed"):
        Paint("north")  # type: ignore[call-arg]


def test_a_step_does_not_change_once_it_is_made() -> None:
    """What was approved is what is performed, and equal calls are equal values."""
    step = Paint("north", confirmed="")
    with pytest.raises(FrozenInstanceError):
        step.wall = "south"  # type: ignore[misc]
    assert step == Paint("north", confirmed="")


def test_a_step_holds_and_compares_nothing_of_its_own(outside: Outside) -> None:
    """Only steps that have a target say so, and the record has the step's own name."""
    step = Paint("north", confirmed="")
    assert step.holds(outside) is None
    assert (step.seen(None), step.current(None), step.wanted(None), step.reached("done")) == (None,) * 4
    assert (step.learned(None), step.asked(outside, None), step.asks) == (("paint", {}), (), ())
    assert step.resolved(outside) is step


def test_a_look_needs_no_act(outside: Outside, world: World) -> None:
    """What it found is its outcome, and a plan has to look unless the step says what it would find."""

    @dataclass(frozen=True)
    class Count(Look[int]):
        step: ClassVar = "count"

        def look(self, outside: Outside, progress: ProgressSink) -> int:
            return len(outside.ecr.list_repositories())

    assert perform(Count(), outside) == 0
    outside.ecr.create_repository("app", tags_immutable=False, scan_on_push=True)
    assert perform(Count(), outside) == 1
    assert Count().expected(outside) is None


def test_a_step_without_a_look_or_an_act_is_not_one(outside: Outside) -> None:
    """Neither is guessed: whoever runs it is told that it is missing."""
    with pytest.raises(NotImplementedError):
        perform(Paint("north", confirmed=""), outside)
