"""What a panel is about to do, and what it did last."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ecr_widgets.model.bucket_path import Place
from ecr_widgets.model.script import Script

if TYPE_CHECKING:
    from ecr_widgets.kit import Kit


def _is_current(_: Kit) -> None:
    """The check of a plan that cannot become outdated."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a confirmation would do."""

    what: str
    """The action and its target, such as `deploy timeout.3 to demo/timeoutsvc`."""
    lines: tuple[str, ...]
    script: Script
    check: Callable[[Kit], None] = _is_current
    """Called once it is confirmed; raises our errors if the plan is outdated."""


@dataclass(frozen=True, slots=True)
class LastAction:
    """What was done last, and where its run is saved."""

    what: str
    sign: str
    run_id: str
    path: Place
    unsealed: str = ""

    def __str__(self) -> str:
        note = f"; not sealed: {self.unsealed}" if self.unsealed else ""
        return f"{self.sign} {self.what}: run {self.run_id} in {self.relative}{note}"

    def to_json(self) -> Mapping[str, str]:
        """As the front end shows it."""
        note = f", not sealed: {self.unsealed}" if self.unsealed else ""
        return {"id": self.run_id, "text": f"run {self.run_id}{note}", "path": self.relative}

    @property
    def relative(self) -> str:
        """The path relative to the notebook, which a front end can open."""
        return os.path.relpath(self.path) if isinstance(self.path, Path) else str(self.path)
