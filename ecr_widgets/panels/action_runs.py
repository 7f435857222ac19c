"""The saved runs that actions of panels leave, as panels need them; `engine/action_run.py` makes them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ecr_widgets.model.bucket_path import Place
from ecr_widgets.model.script import Script
from ecr_widgets.recording.notebook import RecordLine


class ActionRun(RecordLine, Protocol):
    """One action that is being run; records of its steps are on disk before they act."""

    run_id: str
    path: Place
    """Of its saved notebook."""
    unsealed: str
    """Once it has ended: why it has no seal; empty where it has one."""

    def cell(self, number: int) -> AbstractContextManager[None]:
        """Note that a cell of the script is run, counted from 0, and how it ended."""
        ...


class ActionRuns(Protocol):
    """Where actions leave their runs."""

    def asked_by(self, script: Script) -> str | None:
        """What asks for another person's approval of a script; None where nothing does."""
        ...

    def begin(self, script: Script, reason: str) -> AbstractContextManager[ActionRun]:
        """The run of a script, saved before anything is changed and concluded by how the block ends."""
        ...

    def plan(self, script: Script, reason: str) -> Mapping[str, Any]:
        """Make the plan that another person may let go on, and give back the document of `run --json`."""
        ...
