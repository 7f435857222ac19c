"""What a step leaves behind: one typed, versioned record. Keep in sync with contract section 5."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec.structs import replace

from ecr_widgets.errors import RecordError
from ecr_widgets.model.times import to_rfc3339

RECORD_VERSION: Final = 1
RECORD_MIME = "application/vnd.ecr-widgets.record+json"
PROGRESS_KEY = "ecr_widgets_progress"
"""In a display's metadata while its step is running: its progress, in one line."""
SHARE_KEY = "ecr_widgets_share"
"""Next to it: the share done, from 0 to 1; only if the total is known."""
PANEL_MIME = "application/vnd.ecr-widgets.panel+json"

KNOWN_REQUESTS = "known_jobs"
START_ID = "start_id"
"""Input of `create_task`: earlier jobs with the same request. Says when a call was made, not what for."""
DEPLOYS = frozenset(("create_service", "update_service", "rollback"))
"""Steps that put a service on a deploy."""

JsonObject = Mapping[str, Any]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]

_BROKEN = (msgspec.MsgspecError, ValueError, TypeError, RecursionError)


class StepState(StrEnum):
    """State of one step; the value is as written in saved runs."""

    INTENDED = "intended"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


class RunState(StrEnum):
    """State of a whole run; the value is as written in saved runs."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    UNKNOWN = "unknown"


SKIP_TAG = "skip-execution"
"""Tag of cells that a run skips, as nbclient does, and so papermill, nbconvert and Jupyter Book."""


class CellState(StrEnum):
    """State of one code cell in a run."""

    NOT_RUN = "not-run"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class StepRecord(msgspec.Struct, frozen=True, gc=False):
    """One step of one run, from intent to outcome, version 1; decoded straight into this."""

    version: Literal[1]
    run_id: str
    sequence: int
    """Counts from 1 within the run."""
    step: str
    state: StepState
    inputs: dict[str, Any]
    outcome: dict[str, Any]
    started_at: Moment
    changed: bool | None = None
    """False if the wanted state existed already; None until the outcome is known."""
    error: dict[str, Any] | None = None
    ended_at: Moment | None = None

    @classmethod
    def intended(
        cls, run_id: str, sequence: int, step: str, inputs: JsonObject, started_at: datetime
    ) -> StepRecord:
        """A step that is about to act."""
        return cls(RECORD_VERSION, run_id, sequence, step, StepState.INTENDED, dict(inputs), {}, started_at)

    @property
    def is_planned(self) -> bool:
        """Whether it only says what it would do; `changed` is then whether it would change anything."""
        return bool(self.outcome.get("planned"))

    def succeeded(self, outcome: JsonObject, *, changed: bool, ended_at: datetime) -> StepRecord:
        """The same step with its outcome."""
        return replace(
            self, state=StepState.SUCCEEDED, outcome=dict(outcome), changed=changed, ended_at=ended_at
        )

    def planned(self, outcome: JsonObject, *, changed: bool, ended_at: datetime) -> StepRecord:
        """The same step with what it would do; it stays an intent."""
        return replace(self, outcome={"planned": True, **outcome}, changed=changed, ended_at=ended_at)

    def ended_badly(self, state: StepState, error: JsonObject, *, ended_at: datetime) -> StepRecord:
        """The same step, failed or with an unknown outcome."""
        return replace(self, state=state, error=dict(error), ended_at=ended_at)

    def to_builtins(self) -> dict[str, Any]:
        """Its members in the contract's order, as JSON values."""
        return {
            "version": self.version,
            "run_id": self.run_id,
            "sequence": self.sequence,
            "step": self.step,
            "state": self.state.value,
            "changed": self.changed,
            "inputs": self.inputs,
            "outcome": self.outcome,
            "error": self.error,
            "started_at": to_rfc3339(self.started_at),
            "ended_at": to_rfc3339(self.ended_at),
        }

    def to_json(self) -> str:
        """The record as compact JSON."""
        return json.dumps(self.to_builtins(), separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> StepRecord:
        """Parse a record.

        Raises:
            RecordError: Not a record, or a version that this release does not know.
        """
        try:
            record = _decode(text)
        except _BROKEN as error:
            # Another version may have other members, so the version is the real reason.
            if (version := other_version(text)) is not None:
                why = f"a record of version {version}: this release reads {RECORD_VERSION}"
                raise RecordError(why, hint="upgrade") from error
            raise RecordError(f"a record that cannot be read: {reason_of(error)}") from error
        if in_reach(record.started_at) and in_reach(record.ended_at):
            return record
        raise RecordError("a record that cannot be read: a time outside the years 2 to 9998")


class _Versioned(msgspec.Struct, gc=False):
    """What every version has."""

    version: Any = RECORD_VERSION


def other_version(content: bytes | str | msgspec.Raw) -> str | None:
    """The version in a record or a run's header, in Python's notation; None if this release knows it or there is none to read."""
    try:
        version = _decode_version(content).version
    except _BROKEN:
        return None
    return None if type(version) is int and version == RECORD_VERSION else f"{version!r:.40}"


def in_reach(moment: datetime | None) -> bool:
    """Whether a time can be shown in any time zone: in the first and last year a conversion may overflow."""
    return moment is None or 1 < moment.year < 9999


def reason_of(error: Exception) -> str:
    """Why decoding JSON failed, in words."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return str(error).replace("`", "")[:200] or type(error).__name__


_decode = msgspec.json.Decoder(StepRecord).decode
_decode_version = msgspec.json.Decoder(_Versioned).decode
