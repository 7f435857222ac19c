"""Records as outputs of notebook cells."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Event
from typing import Any, Protocol

from IPython.display import display, update_display

from ecr_widgets.actor import actor
from ecr_widgets.channel import RunChannel
from ecr_widgets.errors import InputError, RunError, StepCancelled
from ecr_widgets.model.record import PROGRESS_KEY, RECORD_MIME, SHARE_KEY, StepRecord
from ecr_widgets.ports import Progress
from ecr_widgets.recording.rates import TOTAL, Rates, Total
from ecr_widgets.recording.render import NO_RATES, progress_json, to_html, to_text
from ecr_widgets.saved_runs.reading import OURS

Observe = Callable[[tuple[Mapping[str, Any], ...]], object]
_SECONDS_BETWEEN_UPDATES = 0.25
_SHOWN_AT_ONCE = 12
"""Progress lines shown at a time, such as image layers; the latest ones stay."""


def _tell_nobody(observed: tuple[Mapping[str, Any], ...]) -> None:
    """An observer for progress that only the display shows."""


class RecordLine(Protocol):
    """Where a record is saved before its step acts."""

    def announce(self, display_id: str, bundle: Mapping[str, Any]) -> None:
        """Save an intent to disk.

        Raises:
            RunError: It could not be saved, so nothing may be changed.
        """

    def conclude(self, display_id: str, bundle: Mapping[str, Any]) -> None:
        """Save the outcome.

        Raises:
            RunError: It cannot be saved; the intent stays.
        """


def bundle(
    record: StepRecord, observed: tuple[Progress, ...] = (), rates: Mapping[str, float] = NO_RATES
) -> dict[str, Any]:
    """Return the record in the three forms that a saved run keeps."""
    return {
        # nbformat would indent an object and make it 40 % larger, so the record is one compact string.
        RECORD_MIME: record.to_json(),
        "text/html": to_html(record, observed, rates),
        "text/plain": to_text(record),
    }


def by_hand() -> dict[str, Any]:
    """Return user and host for a record's display metadata, for runs that no engine saves.

    An engine puts both into the notebook's own metadata.
    """
    return {OURS: {"actor": actor(), "host": socket.gethostname()}}


class NotebookSink:
    """Displays each record in the cell that called the step, and updates it in place.

    Args:
        channel: The engine that saves this run; it saves an intent to disk before the step may act. None if the notebook is run
            by hand or by an engine that does not know records.
    """

    def __init__(self, channel: RunChannel | None) -> None:
        self._channel = channel

    def open(self, record: StepRecord) -> _NotebookView:
        """Show the intent and, under our engine, wait until it is on disk."""
        display_id = f"ecrw-{record.run_id}-{record.sequence}"
        if self._channel is not None:
            self._channel.announce(display_id, bundle(record))
        metadata = by_hand() if self._channel is None else {}
        display(bundle(record), metadata=metadata, raw=True, display_id=display_id)
        return _NotebookView(record, display_id, metadata, self._channel, Event(), _tell_nobody)


class _NotebookView:
    def __init__(
        self,
        record: StepRecord,
        display_id: str,
        metadata: Mapping[str, Any],
        channel: RecordLine | None,
        cancelled: Event,
        observe: Observe,
    ) -> None:
        self._channel = channel
        self._record = record
        self._metadata = metadata
        self._display_id = display_id
        self._cancelled = cancelled
        self._observe = observe
        self._observed: dict[str, Progress] = {}
        self._rates_seen, self._rates, self._total = Rates(), dict[str, float](), Total()
        self._shown_at_s = time.monotonic()

    def progress(self, observed: Progress) -> None:
        if self._cancelled.is_set():
            raise _cancelled(self._record.step)
        self._observed.pop(observed.what, None)
        self._observed[observed.what] = observed
        self._total.take(observed)
        total = self._total.observed()
        now_s = time.monotonic()
        for each in filter(None, (observed, total)):
            rate = self._rates_seen.rate(each, now_s)
            if rate is not None:
                self._rates[each.what] = rate
        if now_s - self._shown_at_s >= _SECONDS_BETWEEN_UPDATES:
            self._shown_at_s = now_s
            newest = tuple(self._observed.values())[-_SHOWN_AT_ONCE:]
            self._update(self._record, newest if total is None else (total, *newest))

    def restate(self, record: StepRecord) -> None:
        if self._channel is not None:
            self._channel.announce(self._display_id, bundle(record))
        self._record = record
        self._update(record)

    def close(self, record: StepRecord) -> None:
        if self._channel is not None:
            # If the engine is gone, the intent stays saved: the outcome is then unknown, as it says.
            with suppress(RunError):
                self._channel.conclude(self._display_id, bundle(record))
        self._update(record)

    def _update(self, record: StepRecord, observed: tuple[Progress, ...] = ()) -> None:
        # A terminal that watches the run reads its progress from here; the outcome replaces it.
        rates = self._rates
        progress = _progress_of(observed, rates) if observed else {}
        update_display(
            bundle(record, observed, rates),
            metadata={**self._metadata, **progress},
            raw=True,
            display_id=self._display_id,
        )
        if observed:
            self._observe(progress_json(observed, rates))


def _progress_of(observed: Sequence[Progress], rates: Mapping[str, float]) -> dict[str, Any]:
    """The step's progress, for its display's metadata: the total, or else the part seen last."""
    one = observed[0] if observed[0].what == TOTAL else observed[-1]
    (encoded,) = progress_json((one,), rates)
    share = {} if encoded["share"] is None else {SHARE_KEY: encoded["share"]}
    return {PROGRESS_KEY: encoded["text"], **share}


class Places:
    """Shows records in existing displays, one after another, for steps started from a panel's controls.

    A front end drops new outputs of a cell that has ended, but it updates existing ones. So that no record is lost, each place
    takes one record, and no step begins when all are taken.

    Args:
        display_ids: The displays, from top to bottom.

        observe: Receives each step's progress as JSON, whenever its record is redrawn.
    """

    def __init__(self, display_ids: Sequence[str], observe: Observe = _tell_nobody) -> None:
        self._free = list(display_ids)
        self._observe = observe
        self._cancelled = Event()
        self.line: RecordLine | None = None
        """Where the records are also saved: the run of the action in progress."""

    def open(self, record: StepRecord) -> _NotebookView:
        """Show the intent in the next place.

        Raises:
            InputError: All places are taken; nothing was started.

            StepCancelled: The user cancelled between two steps.
        """
        if self._cancelled.is_set():
            raise _cancelled(record.step)
        if not self._free:
            raise no_room()
        place = self._free.pop(0)
        metadata, line = by_hand(), self.line
        if line is not None:
            line.announce(place, bundle(record))
        update_display(bundle(record), metadata=metadata, raw=True, display_id=place)
        return _NotebookView(record, place, metadata, line, self._cancelled, self._observe)

    def has_room(self, records: int) -> bool:
        """Whether at least this many places are free."""
        return len(self._free) >= records

    def cancel(self) -> None:
        """Stop the current step at its next progress report, and start no other."""
        self._cancelled.set()

    def go_on(self) -> None:
        """Allow steps again."""
        self._cancelled.clear()


def no_room() -> InputError:
    """The error for a step that no place is left for."""
    return InputError(
        "this panel cannot keep more records", hint="show the panel again in a new cell, and continue there"
    )


def _cancelled(step: str) -> StepCancelled:
    return StepCancelled(
        f"{step} was cancelled", hint="what was done before is kept: look at it, then continue or undo it"
    )
