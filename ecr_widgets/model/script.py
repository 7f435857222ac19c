"""A manual action as the cells of a small runbook: its saved run shows what ran."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Script:
    """Cells that use `kit` and the parameters by name, one step per cell."""

    name: str
    """Name of its runs, such as `panel-deploy`."""
    title: str
    parameters: str
    """The cell that declares the parameters, as in a runbook."""
    cells: tuple[str, ...]
    values: Mapping[str, Any] = field(default_factory=dict)
    """Values of the parameters."""

    def using(self, **values: Any) -> Script:
        """The same script with these values."""
        return replace(self, values=values)
