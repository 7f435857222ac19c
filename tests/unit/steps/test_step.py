"""Which fields of a step are recorded, and what a read-only step leaves out."""

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
    """A step with a field of each kind."""

    step: ClassVar = "paint"

    wall: str
    _: KW_ONLY
    coats: int = 1
    colour: str = if_given("")
    password: str = unrecorded("")
    confirmed: str = unrecorded()


def test_a_record_shows_every_plain_field_whatever_it_holds(outside: Outside) -> None:
    """A record shows every plain field, also one that is 0, false or empty."""
    assert Paint("", coats=0, confirmed="").inputs(outside) == {"wall": "", "coats": 0}


@pytest.mark.parametrize(("colour", "shown"), [("", {}), ("red", {"colour": "red"})])
def test_a_field_that_is_optional_is_recorded_where_it_was_given(
    outside: Outside, colour: str, shown: dict[str, str]
) -> None:
    """An optional field is recorded only if it was given."""
    inputs = Paint("north", colour=colour, confirmed="").inputs(outside)
    assert inputs == {"wall": "north", "coats": 1} | shown


def test_a_record_never_shows_a_field_that_is_unrecorded(outside: Outside) -> None:
    """An unrecorded field is never shown, by name or value, whether or not it has a default."""
    step = Paint("north", password="hunter22", confirmed="north")
    assert step.inputs(outside).keys() == {"wall", "coats"}
    with pytest.raises(TypeError, match="confirmed"):
        Paint("north")  # type: ignore[call-arg]


def test_a_step_does_not_change_once_it_is_made() -> None:
    """A step is frozen, and equal steps are equal values."""
    step = Paint("north", confirmed="")
    with pytest.raises(FrozenInstanceError):
        step.wall = "south"  # type: ignore[misc]
    assert step == Paint("north", confirmed="")


def test_a_step_holds_and_compares_nothing_of_its_own(outside: Outside) -> None:
    """By default, a step holds no target, compares nothing and is recorded under its own name."""
    step = Paint("north", confirmed="")
    assert step.holds(outside) is None
    assert (step.seen(None), step.current(None), step.wanted(None), step.reached("done")) == (None,) * 4
    assert (step.learned(None), step.asked(outside, None), step.asks) == (("paint", {}), (), ())
    assert step.resolved(outside) is step


def test_a_look_needs_no_act(outside: Outside, world: World) -> None:
    """A step that only looks needs no act: what it found is its outcome."""

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
    """A step without `look` or `act` raises NotImplementedError when it is performed."""
    with pytest.raises(NotImplementedError):
        perform(Paint("north", confirmed=""), outside)
