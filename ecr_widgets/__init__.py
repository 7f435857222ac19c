"""Runbooks, panels and evidence in one notebook: Amazon ECR images, deployed with Layer0.

A notebook begins with

    from ecr_widgets import connect

    kit = connect()

and an audit, which needs no more than a folder, with

    from ecr_widgets import open_runs

    runs = open_runs("runs")
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ecr_widgets.moved_modules import FormerNames

if TYPE_CHECKING:
    from ecr_widgets.connections import connect as connect
    from ecr_widgets.desk import open_desk as open_desk
    from ecr_widgets.panels.notebook_kit import NotebookKit as NotebookKit
    from ecr_widgets.panels.runs import open_runs as open_runs
    from ecr_widgets.runbook_form import open_form as open_form

sys.meta_path.append(FormerNames())

__all__ = ["NotebookKit", "connect", "open_desk", "open_form", "open_runs"]
_MODULES = {
    "connect": "connections",
    "NotebookKit": "panels.notebook_kit",
    "open_desk": "desk",
    "open_form": "runbook_form",
    "open_runs": "panels.runs",
}


def __getattr__(name: str) -> Any:
    # Loaded when first asked for: `import ecr_widgets` stays quick for the command line and for audits.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
