"""A run's private folder: the kernel's key, its sockets and a copy of Docker's logins, gone with the run."""

from __future__ import annotations

import os
from pathlib import Path

from ecr_widgets.channel import ADDRESS_VARIABLE
from ecr_widgets.engine.orphans import end_processes_with
from ecr_widgets.private_folder import PrivateFolder

CHANNEL = "channel"
"""Name of the socket of the private line."""


class RunFolder(PrivateFolder):
    """One of a run; what processes of a killed run are still there end with its folder."""

    prefix = "ecrw-run-"

    def _is_in_use(self, folder: Path) -> bool:
        return os.environ.get(ADDRESS_VARIABLE) == str(folder / CHANNEL)

    def _end(self, folder: Path) -> None:
        end_processes_with(ADDRESS_VARIABLE, str(folder / CHANNEL))
