"""Reading a saved run as the audit does."""

from __future__ import annotations

from pathlib import Path

from ecr_widgets.audit.run import Found
from ecr_widgets.audit.run_files import find_in


def read_file(path: Path | str) -> Found:
    """Return the run in a file, and whether a live process holds it, or why there is none."""
    return find_in(Path(path).parent, Path(path).name)
