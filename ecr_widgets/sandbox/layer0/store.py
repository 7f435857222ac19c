"""All that this Layer0 knows, in memory and on disk: one row per entity, written before a change is answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from ecr_widgets.sandbox.layer0.dockerrun import container_definition
from ecr_widgets.sandbox.layer0.entities import Deploy, Environment, Job, LoadBalancer, Service, Task
from ecr_widgets.sandbox.rows import Rows
from ecr_widgets.sandbox.workloads import records
from ecr_widgets.sandbox.workloads.task_definition import TaskDefinition

Entity = Environment | Deploy | Service | Task | Job | LoadBalancer
Tags = dict[str, str]

_WORDS: dict[type[Any], str] = {
    Environment: "environment",
    Deploy: "deploy",
    Service: "service",
    Task: "task",
    Job: "job",
    LoadBalancer: "load_balancer",
}
"""Each type's word in tags; followed by `_id`, the member with its id."""


class Store:
    """All entities, by id, and the tags that names are resolved with. Implements `workloads.records.Records`.

    Args:
        folder: Where the file is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.environments: dict[str, Environment] = {}
        self.deploys: dict[str, Deploy] = {}
        self.services: dict[str, Service] = {}
        self.tasks: dict[str, Task] = {}
        self.jobs: dict[str, Job] = {}
        self.load_balancers: dict[str, LoadBalancer] = {}
        self.tags: dict[str, dict[str, Tags]] = {}
        self._highest: dict[str, int] = {}
        self._rows = Rows(folder / "entities.sqlite")
        self.is_new = self._load() == 0

    def save(self, entity: Entity) -> None:
        """Add an entity, or save changes to it."""
        word, entity_id = _name(entity)
        self._take_up(word, entity_id, entity)
        self._rows.write(word, entity_id, entity)

    def save_changes(self, record: records.Service | records.Task | records.LoadBalancer) -> None:
        """Save an entity, unless it was removed."""
        assert isinstance(record, Service | Task | LoadBalancer)
        word, entity_id = _name(record)
        if self._of(word).get(entity_id) is record:
            self._rows.write(word, entity_id, record)

    def remove(self, entity: Entity) -> None:
        """Remove an entity and its tags."""
        word, entity_id = _name(entity)
        self._of(word).pop(entity_id, None)
        self._rows.delete(word, entity_id)
        self.drop_tags(word, entity_id)

    def tag(self, kind: str, entity_id: str, **values: str) -> None:
        """Set tags on an entity; a key has only one value, the last one set."""
        tags = self.tags.setdefault(kind, {}).setdefault(entity_id, {})
        tags.update(values)
        self._rows.write("tag", f"{kind}/{entity_id}", tags)

    def untag(self, kind: str, entity_id: str, key: str) -> None:
        """Remove one of an entity's tags."""
        tags = self.tags[kind][entity_id]
        tags.pop(key, None)
        self._rows.write("tag", f"{kind}/{entity_id}", tags)

    def drop_tags(self, kind: str, entity_id: str) -> None:
        """Remove all of an entity's tags."""
        self.tags.get(kind, {}).pop(entity_id, None)
        self._rows.delete("tag", f"{kind}/{entity_id}")

    def tags_of(self, kind: str, entity_id: str) -> Tags:
        """An entity's tags, if any."""
        return self.tags.get(kind, {}).get(entity_id, {})

    def name(self, kind: str, entity_id: str) -> str:
        """An entity's name, from its tag as everywhere in Layer0; empty if it has none."""
        return self.tags_of(kind, entity_id).get("name", "")

    def is_named(self, kind: str, **tags: str) -> bool:
        """Whether any entity has all of these tags."""
        return any(tags.items() <= each.items() for each in self.tags.get(kind, {}).values())

    def next_version(self, deploy_name: str) -> int:
        """A version number that was never used for this deploy name."""
        return self._highest.get(deploy_name, 0) + 1

    def deploy(self, deploy_id: str) -> Deploy | None:
        """A deploy, unless it was deleted."""
        deploy = self.deploys.get(deploy_id)
        return None if deploy is None or deploy.deleted else deploy

    def task_definition(self, definition_id: str) -> TaskDefinition:
        """What a deploy runs, even after it was deleted."""
        deploy = self.deploys[definition_id]
        containers = [container_definition(each) for each in deploy.containers]
        return TaskDefinition(containers, [str(each.get("name")) for each in deploy.volumes])

    def close(self) -> None:
        """Close the file."""
        self._rows.close()

    def _of(self, word: str) -> dict[str, Any]:
        entities: dict[str, Any] = getattr(self, f"{word}s")
        return entities

    def _take_up(self, word: str, entity_id: str, entity: Entity) -> None:
        self._of(word)[entity_id] = entity
        if isinstance(entity, Deploy):
            self._highest[entity.name] = max(self._highest.get(entity.name, 0), entity.version)

    def _load(self) -> int:
        types = {word: each for each, word in _WORDS.items()}
        rows = list(self._rows)
        for kind, entity_id, content in rows:
            if kind == "tag":
                of, _, tagged = entity_id.partition("/")
                self.tags.setdefault(of, {})[tagged] = msgspec.json.decode(content, type=Tags)
            else:
                self._take_up(kind, entity_id, msgspec.json.decode(content, type=types[kind]))
        return len(rows)


def _name(entity: Entity) -> tuple[str, str]:
    word = _WORDS[type(entity)]
    return word, getattr(entity, f"{word}_id")
