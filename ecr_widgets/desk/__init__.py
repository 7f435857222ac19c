"""A folder of the user's own to work in, and its start page."""

from __future__ import annotations

import os
from pathlib import Path

from ecr_widgets.desk.page import Page, look

__all__ = ["open_desk"]


def open_desk(folder: str | Path = ".") -> Page:
    """The start page of a desk: services, plans that wait, last runs; as a cell's last line it is shown.

    Args:
        folder: The desk; its saved runs are in $ECR_WIDGETS_RUNS, or else in its folder `runs`.
    """
    folder = Path(folder)
    return look(folder, Path(os.environ.get("ECR_WIDGETS_RUNS") or folder / "runs"))
