"""A folder of the user's own to work in, and its start page."""

from __future__ import annotations

import os
from pathlib import Path

from ecr_widgets.desk.folder import RUNS
from ecr_widgets.desk.page import Page, look
from ecr_widgets.model.bucket_path import place_of
from ecr_widgets.settings import RUNS_VARIABLE

__all__ = ["open_desk"]


def open_desk(folder: str | Path = ".") -> Page:
    """The start page of a desk: services, plans that wait, last runs; as a cell's last line it is shown.

    Args:
        folder: The desk; its saved runs are in $ECR_WIDGETS_RUNS, or else in its folder `runs`.
    """
    folder = Path(folder)
    return look(folder, place_of(os.environ.get(RUNS_VARIABLE) or str(folder / RUNS)))
