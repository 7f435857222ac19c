"""What a saved run says about itself: the header in its notebook's metadata. Keep in sync with contract section 5."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any, Literal

import msgspec

from ecr_widgets.model.record import Moment, RunState, StepRecord
from ecr_widgets.model.times import to_rfc3339

_WHERE_SET = frozenset(("plan", "approval", "resumed_at", "attempts"))
"""Members that are written only if they are set."""


class Attempt(msgspec.Struct, frozen=True, gc=False):
    """What is left of a resumed run's earlier attempt. Others may have written the file, so members can be anything."""

    state: Any = None
    reason: Any = None
    started_at: Any = None
    ended_at: Any = None
    file_sha256: Any = None
    """SHA-256 of its file, which its seal is for: without it the next seal would contradict that one."""
    form_sha256: Any = None
    records: Any = ()

    def to_builtins(self) -> Any:
        """The attempt as JSON values."""
        return msgspec.to_builtins(self)

    @property
    def steps(self) -> Iterator[StepRecord]:
        """Its records, except those that cannot be read."""
        for each in self.records if isinstance(self.records, (list, tuple)) else ():
            with suppress(msgspec.MsgspecError):
                yield msgspec.convert(each, StepRecord)


class RunHeader(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One run without its cells, version 1; members in the file's order."""

    version: Literal[1]
    run_id: str
    runbook: str
    runbook_sha256: str | None = None
    state: RunState
    reason: str | None = None
    """Why it ended that way."""
    actor: str | None = None
    host: str | None = None
    parameters: dict[str, Any]
    folder: str | None = None
    """Where relative paths start from when the run is resumed."""
    runbook_folder: str | None = None
    """Where the files next to the runbook are; empty if not known."""
    started_at: Moment | None
    ended_at: Moment | None = None
    marked: bool = False
    """Whether records count only if the engine marked them as received over its own channel."""
    plan: bool = False
    """Whether it only looked at what it would change."""
    approval: Any = None
    """For a run that needs approval, an object: what requires it, who requested it and who gave it."""
    resumed_at: Moment | None = None
    """When its last attempt began, if that is not its first."""
    attempts: Any = ()

    @property
    def began_at(self) -> datetime | None:
        """When its last attempt began."""
        return self.resumed_at or self.started_at

    @property
    def duration_s(self) -> float | None:
        """Seconds from start to end, at least zero; None while either is unknown.

        The clock may have been set between the attempts of a resumed run.
        """
        if self.started_at is None or self.ended_at is None:
            return None
        return max(0.0, round((self.ended_at - self.started_at).total_seconds(), 3))

    @property
    def earlier_attempts(self) -> tuple[Attempt, ...]:
        """The attempts before the last one, oldest first."""
        attempts = self.attempts if isinstance(self.attempts, (list, tuple)) else ()
        return tuple(msgspec.convert(each, Attempt) for each in attempts if isinstance(each, dict))

    @property
    def waits_for_approval(self) -> bool:
        """Whether it is a plan that waits for another person's approval."""
        return self.plan and bool(self.approval)

    def to_builtins(self) -> dict[str, Any]:
        """The header as JSON values."""
        members = {name: getattr(self, name) for name in RunHeader.__struct_fields__}
        return {name: _as_json(value) for name, value in members.items() if value or name not in _WHERE_SET}


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return to_rfc3339(value)
    if isinstance(value, RunState):
        return value.value
    return value
