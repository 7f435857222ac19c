"""The saved runs of panel actions, as panels need them; `engine/action_run.py` makes them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ecr_widgets.model.bucket_path import Place
from ecr_widgets.model.script import Script
from ecr_widgets.recording.notebook import RecordLine


class ActionRun(RecordLine, Protocol):
    """One running action; the record of each step is on disk before the step acts."""

    run_id: str
    path: Place
    """Path of its saved notebook."""
    unsealed: str
    """Once it has ended: why it has no seal; empty if it has one."""

    def cell(self, number: int) -> AbstractContextManager[None]:
        """Record that a cell of the script, counted from 0, is run, and how it ended."""


class ActionRuns(Protocol):
    """Where actions save their runs."""

    def asked_by(self, script: Script) -> str | None:
        """What requires another person's approval of a script; None if nothing does."""

    def begin(self, script: Script, reason: str) -> AbstractContextManager[ActionRun]:
        """The run of a script, saved before anything is changed and concluded when the block ends, with its outcome."""

    def plan(self, script: Script, reason: str) -> Mapping[str, Any]:
        """Make the plan for another person to approve, and return the document of `run --json`."""
