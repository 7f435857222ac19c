"""Records of a run's earlier attempts: a resumed run uses their results instead of repeating the work."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from ecr_widgets.model.record import KNOWN_REQUESTS, START_ID, JsonObject, StepRecord
from ecr_widgets.saved_runs.reading import read_header


@dataclass(frozen=True, slots=True)
class EarlierCall:
    """The record of a call that an earlier attempt made."""

    record: StepRecord
    next_alike: StepRecord | None
    """The next record of the same call, later in that attempt."""


class EarlierRecords:
    """What the attempts before this one recorded, oldest first; empty for a run that was never resumed."""

    def __init__(self, attempts: Sequence[Sequence[StepRecord]] = ()) -> None:
        self._attempts = attempts
        self._asked: Counter[str] = Counter()

    def next_call(self, step: str, inputs: JsonObject) -> EarlierCall | None:
        """Return the newest record of the call being made: the first such record for the first such call, and so on.

        A resumed run makes its calls in the same order, so the second of two equal calls matches the second record.
        """
        call = _spelled(step, inputs)
        number = self._asked[call]
        self._asked[call] += 1
        alike = [
            [each for each in attempt if _spelled(each.step, each.inputs) == call and not _only_looked(each)]
            for attempt in reversed(self._attempts)
        ]
        newest = next((records[number] for records in alike if len(records) > number), None)
        if newest is None:
            return None
        return EarlierCall(
            newest, next((records[number + 1] for records in alike if len(records) > number + 1), None)
        )

    def of_step(self, step: str) -> Iterator[StepRecord]:
        """Yield all records of a step, newest first."""
        for attempt in reversed(self._attempts):
            yield from (record for record in reversed(attempt) if record.step == step)


@cache
def open_earlier(saved: str, run_id: str, read: Callable[[str], bytes]) -> EarlierRecords:
    """Return the earlier attempts that this run's saved file lists.

    All kits of a process share one object, so that each earlier call is matched only once.
    """
    header = read_header(read(saved), saved)
    # A run that a resumed run starts inherits its environment variables.
    attempts = header.earlier_attempts if header.run_id == run_id else ()
    return EarlierRecords([tuple(attempt.steps) for attempt in attempts])


def _only_looked(record: StepRecord) -> bool:
    """Whether the step ended before it requested anything: then an older attempt's record counts."""
    return record.inputs.get(KNOWN_REQUESTS, ()) is None


def _spelled(step: str, inputs: JsonObject) -> str:
    asked = {name: value for name, value in inputs.items() if name not in (KNOWN_REQUESTS, START_ID)}
    return f"{step} {json.dumps(asked, sort_keys=True)}"
