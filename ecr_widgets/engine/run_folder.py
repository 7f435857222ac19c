"""A run's private folder: the kernel's key, its sockets and a copy of Docker's logins, removed with the run."""

from __future__ import annotations

import os
from pathlib import Path

from ecr_widgets.channel import ADDRESS_VARIABLE
from ecr_widgets.engine.orphans import end_processes_with
from ecr_widgets.private_folder import PrivateFolder

CHANNEL = "channel"
"""Name of the socket of the private line."""


class RunFolder(PrivateFolder):
    """The folder of one run; when a killed run's folder is removed, its remaining processes are ended first."""

    prefix = "ecrw-run-"

    def _is_in_use(self, folder: Path) -> bool:
        return os.environ.get(ADDRESS_VARIABLE) == str(folder / CHANNEL)

    def _end(self, folder: Path) -> None:
        end_processes_with(ADDRESS_VARIABLE, str(folder / CHANNEL))
