"""The stand-ins' own log of requests: one JSON line each, append-only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from ecr_widgets.model.times import to_rfc3339


class Journal:
    """An append-only file of requests; call it with an entry.

    Tests and the fault plan compare it with what the kit says it did, so the kit never writes here.
    """

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)

    def __call__(self, entry: Mapping[str, Any]) -> None:
        """Append one entry, with the time in front if it has none."""
        line = msgspec.json.encode({"at": to_rfc3339(datetime.now(UTC)), **entry}, enc_hook=str)
        # A single write, so that lines from several threads do not mix.
        os.write(self._handle, line + b"\n")

    def close(self) -> None:
        os.close(self._handle)
