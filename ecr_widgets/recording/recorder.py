"""From intent to outcome: every step that runs goes through `Recorder.perform`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from datetime import datetime
from enum import Enum
from itertools import count
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from ecr_widgets.errors import EcrWidgetsError, OutcomeUnknown
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.record import JsonObject, StepRecord, StepState
from ecr_widgets.model.times import to_rfc3339
from ecr_widgets.ports import Clock, Progress
from ecr_widgets.recording.earlier import EarlierRecords

T = TypeVar("T")


class StepView(Protocol):
    """One step being shown."""

    def progress(self, observed: Progress) -> None:
        """Show the step's progress; called often, from the step's own thread."""

    def restate(self, record: StepRecord) -> None:
        """Show the corrected intent. If the run is saved, the intent is on disk when this returns."""

    def close(self, record: StepRecord) -> None:
        """Replace the intent with the outcome."""


class RecordSink(Protocol):
    """Where records go."""

    def open(self, record: StepRecord) -> StepView:
        """Show an intent. If the run is saved, the intent is on disk when this returns."""


def numbers_of(run_id: str) -> Iterator[int]:
    """Return the step numbers of one run, shared by all its recorders in this process."""
    return _numbers.setdefault(run_id, count(1))


_numbers: dict[str, Iterator[int]] = {}


class AtWork:
    """A step in progress: takes its progress reports, and what its look learns before it acts."""

    def __init__(self, record: StepRecord, view: StepView, redact: Callable[[str], str]) -> None:
        self.record = record
        self._view = view
        self._redact = redact

    def __call__(self, observed: Progress) -> None:
        """Show how far the step is."""
        # A build may print anything.
        self._view.progress(dataclasses.replace(observed, message=self._redact(observed.message)))

    def learn(self, step: str, inputs: JsonObject) -> None:
        """Correct the intent with what the look found. If the run is saved, it is on disk when this returns."""
        learned = msgspec.structs.replace(
            self.record, step=step, inputs={**self.record.inputs, **as_json(inputs)}
        )
        if learned != self.record:
            self.record = learned
            self._view.restate(learned)

    def close(self, record: StepRecord) -> None:
        """Show how it ended."""
        self._view.close(record)


class Recorder:
    """Numbers a run's steps and keeps their records.

    Args:
        run_id: The run that the records belong to.

        redact: Takes known secrets out of a text.

        numbers: The run's next step numbers; by default this is the run's only recorder.

        earlier: Records of a resumed run's earlier attempts.
    """

    def __init__(
        self,
        run_id: str,
        clock: Clock,
        sink: RecordSink,
        *,
        redact: Callable[[str], str] = lambda text: text,
        numbers: Iterator[int] | None = None,
        earlier: EarlierRecords | None = None,
    ) -> None:
        self.run_id = run_id
        self.earlier = earlier or EarlierRecords()
        self._clock = clock
        self._sink = sink
        self._redact = redact
        self._records: list[StepRecord] = []
        self._numbers = numbers or count(1)

    def of_run(self, run_id: str, sink: RecordSink) -> Recorder:
        """Return a recorder for another run, numbered from 1, with the same clock and secrets."""
        other = copy(self)
        other.run_id, other._sink = run_id, sink
        other._records, other._numbers = [], count(1)
        return other

    @property
    def records(self) -> tuple[StepRecord, ...]:
        """Records of the steps that have ended, oldest first."""
        return tuple(self._records)

    def perform(self, step: str, inputs: JsonObject, act: Callable[[AtWork], T]) -> T:
        """Record the intent, act, record the outcome, and return what the step returned.

        An exception from the step is recorded and raised again.
        """
        at_work = self._begin(step, inputs)
        with self._ending_badly(at_work):
            outcome = act(at_work)
        kept = as_json(outcome) or {}
        changed = bool(kept.pop("changed", False))
        self._end(at_work, at_work.record.succeeded(kept, changed=changed, ended_at=self._clock.now()))
        return outcome

    def plan(self, step: str, inputs: JsonObject, look: Callable[[AtWork], JsonObject]) -> None:
        """Record what a step would do, as an intent that is never carried out.

        Args:
            look: Returns the outcome that the step would have, as far as it is known.
        """
        at_work = self._begin(step, inputs)
        with self._ending_badly(at_work):
            planned = dict(look(at_work))
        changed = bool(planned.pop("changed", False))
        self._end(at_work, at_work.record.planned(planned, changed=changed, ended_at=self._clock.now()))

    def record_failure(self, step: str, inputs: JsonObject, error: Exception) -> None:
        """Record a step that failed before it began."""
        self._end_badly(self._begin(step, inputs), error)

    def _begin(self, step: str, inputs: JsonObject) -> AtWork:
        record = StepRecord.intended(
            self.run_id, next(self._numbers), step, as_json(inputs), self._clock.now()
        )
        return AtWork(record, self._sink.open(record), self._redact)

    @contextmanager
    def _ending_badly(self, at_work: AtWork) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self._end_badly(at_work, error)
            raise

    def _end_badly(self, at_work: AtWork, error: BaseException) -> None:
        # An interrupt in the middle of a change leaves its outcome unknown, as a lost reply does.
        unknown = isinstance(error, OutcomeUnknown) or not isinstance(error, Exception)
        state = StepState.UNKNOWN if unknown else StepState.FAILED
        self._end(
            at_work,
            at_work.record.ended_badly(state, self._describe(error), ended_at=self._clock.now()),
        )

    def _end(self, at_work: AtWork, record: StepRecord) -> None:
        self._records.append(record)
        at_work.close(record)

    def _describe(self, error: BaseException) -> JsonObject:
        described: dict[str, Any] = {"type": type(error).__name__, "message": self._redact(str(error))}
        if isinstance(error, EcrWidgetsError) and error.hint:
            described["hint"] = self._redact(error.hint)
        for name in ("log", "reasons"):
            lines = getattr(error, name, ())
            if lines:
                described[name] = [self._redact(str(line)) for line in lines[-20:]]
        if targets := getattr(error, "targets", None):
            described["targets"] = as_json(targets)
        return described


def as_json(value: Any) -> Any:
    """Convert a value to JSON types: dataclasses to objects, references and paths to text, times to RFC 3339."""
    if dataclasses.is_dataclass(value) and not isinstance(value, (type, ImageReference)):
        return {f.name: as_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    if isinstance(value, datetime):
        return to_rfc3339(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (ImageReference, Path)):
        return str(value)
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value
