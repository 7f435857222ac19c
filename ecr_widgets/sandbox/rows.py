"""A SQLite file of rows, each with a JSON value: what the sandbox's servers keep across a restart."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec


class Rows:
    """Rows by kind and id; each change is on disk when the call returns.

    Args:
        path: The file; its folder is created if needed.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, check_same_thread=False)
        # With a write-ahead log a commit survives this process being killed, without a sync to disk.
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS entity (kind TEXT, id TEXT, content BLOB, PRIMARY KEY (kind, id))"
        )

    def __iter__(self) -> Iterator[tuple[str, str, bytes]]:
        """All rows in the order they were first written: kind, id, content."""
        yield from self._database.execute("SELECT kind, id, content FROM entity ORDER BY rowid").fetchall()

    def write(self, kind: str, row_id: str, content: object) -> None:
        """Add a row, or replace its content."""
        with self._database:
            self._database.execute(
                "INSERT INTO entity VALUES (?, ?, ?)"
                " ON CONFLICT (kind, id) DO UPDATE SET content = excluded.content",
                (kind, row_id, msgspec.json.encode(content)),
            )

    def delete(self, kind: str, row_id: str) -> None:
        """Remove a row; no error if it does not exist."""
        with self._database:
            self._database.execute("DELETE FROM entity WHERE kind = ? AND id = ?", (kind, row_id))

    def close(self) -> None:
        """Close the file."""
        self._database.close()
