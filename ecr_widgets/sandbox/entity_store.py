"""Entities in memory and in a SQLite file: what the sandbox's servers keep across a restart."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

Entity = TypeVar("Entity")


class EntityStore:
    """Entities by type and id; each change is on disk when the call returns.

    Args:
        folder: Where the file is kept; created if needed.

        kinds: By type, the word for it in the file, and the member with an entity's id.
    """

    def __init__(self, folder: Path, kinds: Mapping[type[Any], tuple[str, str]]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._kinds = kinds
        self._database = sqlite3.connect(folder / "entities.sqlite", check_same_thread=False)
        # With a write-ahead log a commit survives this process being killed, without a sync to disk.
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS entity (kind TEXT, id TEXT, content BLOB, PRIMARY KEY (kind, id))"
        )
        self._by_type: dict[type[Any], dict[str, Any]] = {
            each: {
                entity_id: msgspec.json.decode(content, type=each) for entity_id, content in self._rows(word)
            }
            for each, (word, _) in kinds.items()
        }

    def of(self, kind: type[Entity]) -> dict[str, Entity]:
        """All entities of a type by id, in the order in which they were added."""
        return self._by_type[kind]

    def save(self, *entities: Any) -> None:
        """Add entities, or save changes to them."""
        for entity in entities:
            word, entity_id = self._name(entity)
            self._by_type[type(entity)][entity_id] = entity
            self._write(word, entity_id, entity)

    def save_changes(self, entity: Any) -> None:
        """Save an entity, unless it was removed."""
        word, entity_id = self._name(entity)
        if self._by_type[type(entity)].get(entity_id) is entity:
            self._write(word, entity_id, entity)

    def remove(self, entity: Any) -> None:
        word, entity_id = self._name(entity)
        self._by_type[type(entity)].pop(entity_id, None)
        self._delete(word, entity_id)

    def close(self) -> None:
        self._database.close()

    def _name(self, entity: Any) -> tuple[str, str]:
        word, member = self._kinds[type(entity)]
        return word, getattr(entity, member)

    def _rows(self, kind: str) -> Iterator[tuple[str, bytes]]:
        """Id and content of all rows of a kind, in the order in which they were first written."""
        query = "SELECT id, content FROM entity WHERE kind = ? ORDER BY rowid"
        yield from self._database.execute(query, (kind,)).fetchall()

    def _write(self, kind: str, row_id: str, content: object) -> None:
        """Add a row, or replace its content."""
        with self._database:
            self._database.execute(
                "INSERT INTO entity VALUES (?, ?, ?)"
                " ON CONFLICT (kind, id) DO UPDATE SET content = excluded.content",
                (kind, row_id, msgspec.json.encode(content)),
            )

    def _delete(self, kind: str, row_id: str) -> None:
        """Remove a row; no error if it does not exist."""
        with self._database:
            self._database.execute("DELETE FROM entity WHERE kind = ? AND id = ?", (kind, row_id))
