"""The calls that changed something, on disk: moto keeps its data in memory, so the next sandbox repeats them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from ecr_widgets.sandbox.folder import read_own


class Call(msgspec.Struct, frozen=True):
    """One call to ECR's API; `at_s` in seconds since the epoch."""

    at_s: float
    operation: str
    parameters: dict[str, Any]


class CallLog:
    """A file with one JSON line per call, written before the call is answered.

    Raises:
        SettingsError: The file belongs to somebody else.
    """

    def __init__(self, path: Path) -> None:
        self.earlier = list(_read(path))
        """The calls made to an earlier sandbox in this folder."""
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        os.write(self._handle, b"\n")  # ends a partial line that a kill has left

    def add(self, operation: str, parameters: dict[str, Any]) -> None:
        """Append a call; thread-safe."""
        os.write(self._handle, msgspec.json.encode(Call(time.time(), operation, parameters)) + b"\n")

    def close(self) -> None:
        os.close(self._handle)


def _read(path: Path) -> Iterator[Call]:
    try:
        content = read_own(path)
    except FileNotFoundError:
        return
    for line in filter(None, content.splitlines()):
        with suppress(msgspec.DecodeError):  # a partial line
            yield msgspec.json.decode(line, type=Call)
