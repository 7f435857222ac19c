"""Where actions of panels leave their runs, in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecr_widgets.model.script import Script


@dataclass
class FakeRun:
    """Implements `panels.action_runs.ActionRun`; notes what it was told."""

    run_id: str
    path: Path
    unsealed: str = ""
    announced: list[str] = field(default_factory=list)

    def cell(self, _number: int) -> AbstractContextManager[None]:
        return nullcontext()

    def announce(self, display_id: str, _bundle: Mapping[str, Any]) -> None:
        self.announced.append(display_id)

    def conclude(self, display_id: str, _bundle: Mapping[str, Any]) -> None:
        assert display_id in self.announced


class FakeActionRuns:
    """Implements `panels.action_runs.ActionRuns`; keeps the scripts with their reasons."""

    def __init__(self) -> None:
        self.done: list[tuple[Script, str]] = []
        self.planned: list[tuple[Script, str]] = []
        self.guard: str | None = None
        """What asks for an approval."""

    def asked_by(self, _script: Script) -> str | None:
        return self.guard

    @contextmanager
    def begin(self, script: Script, reason: str) -> Iterator[FakeRun]:
        self.done.append((script, reason))
        number = len(self.done)
        yield FakeRun(f"action-{number}", Path(f"runs/action-{number}-{script.name}.ipynb").absolute())

    def plan(self, script: Script, reason: str) -> Mapping[str, Any]:
        self.planned.append((script, reason))
        return {"run_id": "plan-1", "notebook": f"runs/plan-1-{script.name}.plan.ipynb"}
