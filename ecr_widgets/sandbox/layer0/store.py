"""What stands, in memory and on disk: one row an entity, written before a change is answered."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from ecr_widgets.sandbox.layer0.entities import Deploy, Environment, Job, LoadBalancer, Service, Task

Entity = Environment | Deploy | Service | Task | Job | LoadBalancer
Tags = dict[str, str]

_KINDS: dict[type[Any], tuple[str, Callable[[Any], str]]] = {
    Environment: ("environment", lambda each: each.environment_id),
    Deploy: ("deploy", lambda each: each.deploy_id),
    Service: ("service", lambda each: each.service_id),
    Task: ("task", lambda each: each.task_id),
    Job: ("job", lambda each: each.job_id),
    LoadBalancer: ("load_balancer", lambda each: each.load_balancer_id),
}
"""Each type's word in tags, and its id."""


class Store:
    """All entities by id, and the tags that names are resolved by.

    Args:
        folder: Where the state file lies; None keeps everything in memory.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.environments: dict[str, Environment] = {}
        self.deploys: dict[str, Deploy] = {}
        self.services: dict[str, Service] = {}
        self.tasks: dict[str, Task] = {}
        self.jobs: dict[str, Job] = {}
        self.load_balancers: dict[str, LoadBalancer] = {}
        self.tags: dict[str, dict[str, Tags]] = {}
        self._highest: dict[str, int] = {}
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(
            ":memory:" if folder is None else folder / "state.sqlite", check_same_thread=False
        )
        # With a write-ahead log a commit survives the death of this process, and costs no sync to disk.
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS entity (kind TEXT, id TEXT, content BLOB, PRIMARY KEY (kind, id))"
        )
        self.is_new = self._load() == 0

    def save(self, entity: Entity) -> None:
        """Take up an entity, or its changes."""
        kind, name_id = _KINDS[type(entity)]
        entity_id = name_id(entity)
        self._of(type(entity))[entity_id] = entity
        if isinstance(entity, Deploy):
            self._highest[entity.name] = max(self._highest.get(entity.name, 0), entity.version)
        self._write(kind, entity_id, entity)

    def remove(self, entity: Entity) -> None:
        """Drop an entity and its tags."""
        kind, name_id = _KINDS[type(entity)]
        entity_id = name_id(entity)
        self._of(type(entity)).pop(entity_id, None)
        with self._database:
            self._database.execute("DELETE FROM entity WHERE kind = ? AND id = ?", (kind, entity_id))
        self.drop_tags(kind, entity_id)

    def tag(self, kind: str, entity_id: str, **values: str) -> None:
        """Set tags of an entity; a key has one value, the last."""
        tags = self.tags.setdefault(kind, {}).setdefault(entity_id, {})
        tags.update(values)
        self._write("tag", f"{kind}/{entity_id}", tags)

    def untag(self, kind: str, entity_id: str, key: str) -> None:
        """Take away one tag of an entity."""
        tags = self.tags[kind][entity_id]
        tags.pop(key, None)
        self._write("tag", f"{kind}/{entity_id}", tags)

    def drop_tags(self, kind: str, entity_id: str) -> None:
        """Take away all tags of an entity."""
        self.tags.get(kind, {}).pop(entity_id, None)
        with self._database:
            self._database.execute(
                "DELETE FROM entity WHERE kind = 'tag' AND id = ?", (f"{kind}/{entity_id}",)
            )

    def name(self, kind: str, entity_id: str) -> str:
        """An entity's name: what its tag says, as everywhere in Layer0; empty where it has none."""
        return self.tags.get(kind, {}).get(entity_id, {}).get("name", "")

    def next_version(self, deploy_name: str) -> int:
        """A version of a deploy that was never given out."""
        return self._highest.get(deploy_name, 0) + 1

    def deploy(self, deploy_id: str) -> Deploy | None:
        """A deploy that was not deleted."""
        found = self.deploys.get(deploy_id)
        return None if found is None or found.deleted else found

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def _of(self, kind: type[Any]) -> dict[str, Any]:
        by_type: dict[type[Any], dict[str, Any]] = {
            Environment: self.environments,
            Deploy: self.deploys,
            Service: self.services,
            Task: self.tasks,
            Job: self.jobs,
            LoadBalancer: self.load_balancers,
        }
        return by_type[kind]

    def _write(self, kind: str, entity_id: str, content: object) -> None:
        with self._database:
            self._database.execute(
                "INSERT INTO entity VALUES (?, ?, ?)"
                " ON CONFLICT (kind, id) DO UPDATE SET content = excluded.content",
                (kind, entity_id, msgspec.json.encode(content)),
            )

    def _load(self) -> int:
        types = {kind: each for each, (kind, _) in _KINDS.items()}
        rows = self._database.execute("SELECT kind, id, content FROM entity ORDER BY rowid").fetchall()
        for kind, entity_id, content in rows:
            if kind == "tag":
                of, _, tagged = entity_id.partition("/")
                self.tags.setdefault(of, {})[tagged] = msgspec.json.decode(content, type=Tags)
                continue
            entity = msgspec.json.decode(content, type=types[kind])
            self._of(types[kind])[entity_id] = entity
            if isinstance(entity, Deploy):
                self._highest[entity.name] = max(self._highest.get(entity.name, 0), entity.version)
        return len(rows)
