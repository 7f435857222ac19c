"""Steps are recorded from intent to outcome."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ecr_widgets.errors import BuildError, OutcomeUnknown
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.record import StepRecord, StepState
from ecr_widgets.ports import Progress
from ecr_widgets.recording.recorder import Recorder, as_json


class StillClock:
    def now(self) -> datetime:
        return datetime(2026, 11, 23, 12, tzinfo=UTC)

    def monotonic_s(self) -> float:
        return 0.0

    def sleep(self, duration_s: float) -> None:
        raise AssertionError


class ListSink:
    def __init__(self) -> None:
        self.seen: list[StepRecord] = []
        self.observed: list[Progress] = []

    def open(self, record: StepRecord) -> ListSink:
        self.seen.append(record)
        return self

    def progress(self, observed: Progress) -> None:
        self.observed.append(observed)

    def close(self, record: StepRecord) -> None:
        self.seen.append(record)


@dataclass(frozen=True)
class Outcome:
    image: ImageReference
    changed: bool


@pytest.fixture
def sink() -> ListSink:
    return ListSink()


@pytest.fixture
def recorder(sink: ListSink) -> Recorder:
    return Recorder("run-1", StillClock(), sink, redact=lambda text: text.replace("hunter22", "***"))


def test_the_intent_is_shown_before_the_step_acts(recorder: Recorder, sink: ListSink) -> None:
    """A step acts only after its intent went to the sink."""
    states: list[list[StepState]] = []

    def act(_: object) -> Outcome:
        states.append([record.state for record in sink.seen])
        return Outcome(ImageReference.parse("a/b:1"), changed=True)

    recorder.perform("push_image", {"tag": "1"}, act)
    assert states == [[StepState.INTENDED]]


def test_the_outcome_keeps_what_the_step_gave_and_lifts_changed(recorder: Recorder) -> None:
    """The record holds the outcome's fields as JSON and `changed` beside them."""
    recorder.perform(
        "push_image", {"tag": "1"}, lambda _: Outcome(ImageReference.parse("a/b:1"), changed=False)
    )
    (record,) = recorder.records
    assert (record.state, record.changed, record.outcome) == (StepState.SUCCEEDED, False, {"image": "a/b:1"})
    assert json.loads(record.to_json())["sequence"] == 1


def test_a_secret_that_a_build_prints_is_not_in_its_progress(recorder: Recorder, sink: ListSink) -> None:
    """A known secret in a build's progress is masked."""
    recorder.perform("build_image", {}, lambda told: told(Progress("build", "token hunter22", 1, 2)))
    assert sink.observed == [Progress("build", "token ***", 1, 2)]


def test_an_error_is_recorded_and_raised_again(recorder: Recorder) -> None:
    """A failed step's record has the error, its hint and log, without known secrets, and the error is raised again."""

    def act(_: object) -> Outcome:
        raise BuildError("step 2 failed: hunter22", log=["RUN echo hunter22", "boom"], hint="mend it")

    with pytest.raises(BuildError):
        recorder.perform("build_image", {}, act)
    (record,) = recorder.records
    assert record.state is StepState.FAILED
    assert record.error == {
        "type": "BuildError",
        "message": "step 2 failed: ***; mend it",
        "hint": "mend it",
        "log": ["RUN echo ***", "boom"],
    }


@pytest.mark.parametrize("error", [OutcomeUnknown("the reply was lost"), KeyboardInterrupt()])
def test_a_lost_reply_or_an_interrupt_leaves_the_outcome_unknown(
    recorder: Recorder, error: BaseException
) -> None:
    """A lost reply or an interrupt is recorded as unknown, not as failed."""

    def act(_: object) -> Outcome:
        raise error

    with pytest.raises(type(error)):
        recorder.perform("create_deploy", {}, act)
    assert recorder.records[0].state is StepState.UNKNOWN


def test_steps_are_numbered_from_one(recorder: Recorder) -> None:
    """The steps of a run are numbered from one."""
    for _ in range(3):
        recorder.perform("login", {}, lambda _: Outcome(ImageReference.parse("a/b"), changed=False))
    assert [record.sequence for record in recorder.records] == [1, 2, 3]


def test_values_become_json() -> None:
    """References, paths and times are written as text, floats to the millisecond."""
    value = {
        "at": datetime(2026, 1, 2, tzinfo=UTC),
        "path": Path("a"),
        "s": 1.23456,
        "image": ImageReference.parse("a/b"),
    }
    assert as_json(value) == {"at": "2026-01-02T00:00:00.000Z", "path": "a", "s": 1.235, "image": "a/b"}
