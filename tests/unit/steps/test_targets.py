"""Targets of a run: changes by others are noticed, and the run's own changes are not mistaken for them."""

from __future__ import annotations

import pytest

from ecr_widgets.errors import TargetBusy
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.steps.shared.targets import Targets
from tests.fakes.connections import FakeLocks

TARGET = "image registry.test/app:1"


@pytest.fixture
def locks() -> FakeLocks:
    return FakeLocks()


@pytest.fixture
def targets(locks: FakeLocks) -> Targets:
    return Targets(locks, "run-1")


def test_what_is_as_it_was_noted_may_be_changed(targets: Targets) -> None:
    """A target that is as it was noted passes the comparison, also if nothing was there."""
    for current in ("one", None):
        with targets.hold(TARGET) as held:
            held.note(current)
            held.compare(current)


@pytest.mark.parametrize(
    ("noted", "current", "why"),
    [
        ("one", "two", "it was on one and is on two now"),
        (None, "two", "it was on nothing and is on two now"),
        ("one", None, "it was on one and is on nothing now"),
    ],
)
def test_what_somebody_else_changed_is_busy(
    targets: Targets, noted: str | None, current: str | None, why: str
) -> None:
    """A target changed by someone else is busy; the error names the target, the run, and the state before and now."""
    with targets.hold(TARGET) as held:
        held.note(noted)
    with (
        targets.hold(TARGET) as held,
        pytest.raises(
            TargetBusy, match=f"{TARGET} was changed by somebody else during this run: {why}"
        ) as busy,
    ):
        held.compare(current, wanted="three")
    assert (busy.value.run_id, busy.value.holder) == ("run-1", "somebody elsewhere")


def test_what_is_already_as_wanted_is_nobodys_fault(targets: Targets) -> None:
    """A target that is already as wanted passes, because an earlier attempt of this run may have changed it."""
    with targets.hold(TARGET) as held:
        held.note("one")
        held.compare("two", wanted="two")


def test_what_was_not_noted_is_noted_by_the_first_comparison(targets: Targets) -> None:
    """If nothing was noted, the first comparison notes the state, and a later change is busy."""
    with targets.hold(TARGET) as held:
        held.compare("one")
        with pytest.raises(TargetBusy):
            held.compare("two")


def test_a_comparison_does_not_forget_what_was_noted_first(targets: Targets) -> None:
    """A comparison that passes because the target is as wanted does not note that state; only `note` does."""
    with targets.hold(TARGET) as held:
        held.note("one")
        held.compare("two", wanted="two")
        with pytest.raises(TargetBusy, match="it was on one"):
            held.compare("two")
        held.note("two")
        held.compare("two")


def test_each_target_is_known_by_itself(targets: Targets, locks: FakeLocks) -> None:
    """Each target has a stable name of its own and is compared by itself."""
    image = targets.image(ImageReference.parse("registry.test/app:1"))
    service = targets.service("https://layer0.test", "demo1", "web")
    assert (image, service) == (TARGET, "service web of environment demo1 at https://layer0.test")
    with targets.hold(image) as held:
        held.note("one")
    with targets.hold(service) as held:
        held.compare("two")
    assert locks.held == [image, service]


def test_a_target_that_another_run_holds_is_busy(targets: Targets, locks: FakeLocks) -> None:
    """A target that another run holds is busy before anything is compared."""
    locks.busy.add(TARGET)
    with pytest.raises(TargetBusy, match="is busy"), targets.hold(TARGET):
        pass
