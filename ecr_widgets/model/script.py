"""What an action by hand does, written as the cells of a small runbook: what its saved run shows is what ran."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Script:
    """Cells that use `kit` and the parameters by name, one step a cell."""

    name: str
    """Of its runs, such as `panel-deploy`."""
    title: str
    parameters: str
    """The cell that declares them, as a runbook has it."""
    cells: tuple[str, ...]
    values: Mapping[str, Any] = field(default_factory=dict)
    """Of the parameters."""

    def using(self, **values: Any) -> Script:
        """The same with these values."""
        return replace(self, values=values)
