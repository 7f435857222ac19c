"""Records of a run's earlier attempts: a resumed run uses what they left instead of doing it again."""

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
    """What is left of a call that an earlier attempt made."""

    record: StepRecord
    next_alike: StepRecord | None
    """The same call made once more, later in that attempt."""


class EarlierRecords:
    """What the attempts before this one recorded, oldest first; empty for a run that was never resumed."""

    def __init__(self, attempts: Sequence[Sequence[StepRecord]] = ()) -> None:
        self._attempts = attempts
        self._asked: Counter[str] = Counter()

    def next_call(self, step: str, inputs: JsonObject) -> EarlierCall | None:
        """The newest record of the call that is made now: the first of its kind for the first one, and so on.

        A resumed run makes its calls in the same order, so the second of two equal calls is the second of them again.
        """
        call = _spelled(step, inputs)
        number = self._asked[call]
        self._asked[call] += 1
        alike = [
            [each for each in attempt if _spelled(each.step, each.inputs) == call and not _only_looked(each)]
            for attempt in reversed(self._attempts)
        ]
        found = next((records[number] for records in alike if len(records) > number), None)
        if found is None:
            return None
        return EarlierCall(
            found, next((records[number + 1] for records in alike if len(records) > number + 1), None)
        )

    def of_step(self, step: str) -> Iterator[StepRecord]:
        """All records of a step, newest first."""
        for attempt in reversed(self._attempts):
            yield from (record for record in reversed(attempt) if record.step == step)


@cache
def open_earlier(saved: str, run_id: str, read: Callable[[str], bytes]) -> EarlierRecords:
    """The earlier attempts that the saved file of this run names.

    Every kit of one process gets the same, so that none of them takes a call for another's.
    """
    header = read_header(read(saved), saved)
    # A run that is started by a resumed one inherits its variables.
    attempts = header.earlier_attempts if header.run_id == run_id else ()
    return EarlierRecords([tuple(attempt.steps) for attempt in attempts])


def _only_looked(record: StepRecord) -> bool:
    """Whether it ended before it had asked for anything: what the attempt before it left counts then."""
    return record.inputs.get(KNOWN_REQUESTS, ()) is None


def _spelled(step: str, inputs: JsonObject) -> str:
    asked = {name: value for name, value in inputs.items() if name not in (KNOWN_REQUESTS, START_ID)}
    return f"{step} {json.dumps(asked, sort_keys=True)}"
