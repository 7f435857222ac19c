"""What ECR holds, on disk as well: moto keeps it in memory only, and a sandbox that was killed goes on with it."""

from __future__ import annotations

import asyncio
import os
import pickle
from pathlib import Path

from ecr_widgets.sandbox.ecr.blobs import Blobs
from ecr_widgets.sandbox.ecr.store import Store
from ecr_widgets.sandbox.folder import read_own

_PAUSE_S = 0.1
"""How long changes gather until they are written; a kill loses those of that time."""
_PARTS = (
    "repositories",
    "tagger",
    "registry_policy",
    "replication_config",
    "registry_scanning_configuration",
)
"""Members of moto's store that have content."""


class Kept:
    """One file that follows the store.

    Args:
        folder: The sandbox's own.
    """

    def __init__(self, folder: Path, store: Store, blobs: Blobs) -> None:
        self._path = folder / "store.pickle"
        self._store = store
        self._blobs = blobs
        self._loop: asyncio.AbstractEventLoop | None = None
        self._due: asyncio.TimerHandle | None = None

    def restore(self) -> None:
        """Take up what an earlier sandbox of the folder held; uploads that were under way are gone.

        Raises:
            SettingsError: The file is somebody else's, who could have us run anything.
        """
        try:
            content = read_own(self._path)
        except FileNotFoundError:
            return
        parts, links = pickle.loads(content)  # noqa: S301  # written by us alone
        for name, value in parts.items():
            setattr(self._store.backend, name, value)
        self._blobs.links = links

    def begin(self, registry_host: str) -> None:
        """Follow changes from now on; repositories are where the registry listens now."""
        self._loop = asyncio.get_running_loop()
        for repository in self._store.backend.repositories.values():
            repository.repository_uri = f"{registry_host}/{repository.name}"  # type: ignore[attr-defined]

    def note(self) -> None:
        """Something has changed; any thread may say so."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._plan)

    def close(self) -> None:
        """Follow no more."""
        self._loop = None
        if self._due is not None:
            self._due.cancel()

    def _plan(self) -> None:
        if self._due is None and self._loop is not None:
            self._due = self._loop.call_later(_PAUSE_S, self._write)

    def _write(self) -> None:
        self._due = None
        parts = {name: getattr(self._store.backend, name) for name in _PARTS}
        try:
            content = pickle.dumps((parts, self._blobs.links))
        except RuntimeError:
            # Another thread changed it just now.
            self._plan()
            return
        fresh = self._path.with_suffix(".new")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        fresh.replace(self._path)
