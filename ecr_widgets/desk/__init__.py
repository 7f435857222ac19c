"""The user's own working folder, and its start page."""

from __future__ import annotations

import os
from pathlib import Path

from ecr_widgets.desk.folder import RUNS
from ecr_widgets.desk.page import Page, look
from ecr_widgets.model.bucket_path import place_of
from ecr_widgets.model.paths import path_of
from ecr_widgets.settings import RUNS_VARIABLE

__all__ = ["open_desk"]


def open_desk(folder: str | Path = ".") -> Page:
    """Return a desk's start page: services, waiting plans, last runs. JupyterLab shows it if it is a cell's last line.

    Args:
        folder: The desk; its saved runs are in $ECR_WIDGETS_RUNS or, by default, in its folder `runs`.
    """
    folder = path_of(folder)
    return look(folder, place_of(os.environ.get(RUNS_VARIABLE) or str(folder / RUNS)))
