"""What a step leaves behind: one typed, versioned record. Keep in step with contract section 5."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import NoneType
from typing import Any

from ecr_widgets.errors import RecordError
from ecr_widgets.model.times import from_rfc3339, to_rfc3339

RECORD_VERSION = 1
RECORD_MIME = "application/vnd.ecr-widgets.record+json"
PROGRESS_KEY = "ecr_widgets_progress"
"""In a display's metadata while its step works."""
MARK = "marked"
"""True in `ecr_widgets` of a display's metadata where the record came to the engine over its own line; true in a run's where
the engine marks records so, and others in it prove nothing."""
PANEL_MIME = "application/vnd.ecr-widgets.panel+json"

JsonObject = Mapping[str, Any]


def counts(notebook: JsonObject, output: JsonObject) -> bool:
    """Whether what an output of a saved run shows may be a step's record: where its engine marks them, no other is."""
    return not _of_ours(notebook).get(MARK) or _of_ours(output).get(MARK) is True


def _of_ours(told: JsonObject) -> JsonObject:
    metadata = told.get("metadata")
    ours = metadata.get("ecr_widgets") if isinstance(metadata, Mapping) else None
    return ours if isinstance(ours, Mapping) else {}


class StepState(StrEnum):
    """State of one step; the value is its spelling in saved runs."""

    INTENDED = "intended"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


class RunState(StrEnum):
    """State of a whole run; the value is its spelling in saved runs."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    UNKNOWN = "unknown"


SKIP_TAG = "skip-execution"
"""Tag of cells that a run leaves out, as nbclient does, and with it papermill, nbconvert and Jupyter Book."""


class CellState(StrEnum):
    """State of one code cell of a run."""

    NOT_RUN = "not-run"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step of one run, from intent to outcome."""

    run_id: str
    sequence: int
    """Counts from 1 within the run."""
    step: str
    state: StepState
    inputs: JsonObject
    started_at: datetime
    changed: bool | None = None
    """False where the wanted state stood already; None until the outcome is known."""
    outcome: JsonObject = field(default_factory=dict)
    error: JsonObject | None = None
    ended_at: datetime | None = None

    def succeeded(self, outcome: JsonObject, *, changed: bool, ended_at: datetime) -> StepRecord:
        """The same step with its outcome."""
        return replace(self, state=StepState.SUCCEEDED, outcome=outcome, changed=changed, ended_at=ended_at)

    def planned(self, outcome: JsonObject, *, changed: bool, ended_at: datetime) -> StepRecord:
        """The same step with what it would do: an intent that stays one."""
        return replace(self, outcome={"planned": True, **outcome}, changed=changed, ended_at=ended_at)

    def ended_badly(self, state: StepState, error: JsonObject, *, ended_at: datetime) -> StepRecord:
        """The same step, failed or with an unknown outcome."""
        return replace(self, state=state, error=error, ended_at=ended_at)

    def to_json(self) -> str:
        """One compact JSON string, members in the contract's order."""
        return json.dumps(
            {
                "version": RECORD_VERSION,
                "run_id": self.run_id,
                "sequence": self.sequence,
                "step": self.step,
                "state": self.state.value,
                "changed": self.changed,
                "inputs": self.inputs,
                "outcome": self.outcome,
                "error": self.error,
                "started_at": to_rfc3339(self.started_at),
                "ended_at": None if self.ended_at is None else to_rfc3339(self.ended_at),
            },
            separators=(",", ":"),
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> StepRecord:
        """Read a record.

        Raises:
            RecordError: Not a record, or of a version this release does not know.
        """
        try:
            raw = json.loads(text)
            version = raw["version"]
            if type(version) is not int or version != RECORD_VERSION:
                raise RecordError(
                    f"record of version {version!r}: this release reads {RECORD_VERSION}", hint="upgrade"
                )
            return cls(
                run_id=_typed(raw, "run_id", str),
                sequence=_typed(raw, "sequence", int),
                step=_typed(raw, "step", str),
                state=StepState(raw["state"]),
                changed=_typed(raw, "changed", bool, NoneType),
                inputs=_typed(raw, "inputs", dict),
                outcome=_typed(raw, "outcome", dict),
                error=_typed(raw, "error", dict, NoneType),
                started_at=from_rfc3339(raw["started_at"]),
                ended_at=None if raw["ended_at"] is None else from_rfc3339(raw["ended_at"]),
            )
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise RecordError(f"not a step record: {type(error).__name__} {error}") from error


def _typed(raw: JsonObject, member: str, *kinds: type) -> Any:
    value = raw[member]
    # The exact type: to Python true is a number, too.
    if type(value) not in kinds:
        raise TypeError(f"{member} is {value!r}")
    return value
