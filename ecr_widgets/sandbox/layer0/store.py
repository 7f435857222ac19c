"""All that this Layer0 knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from ecr_widgets.sandbox.entity_store import EntityStore
from ecr_widgets.sandbox.layer0.dockerrun import container_definition
from ecr_widgets.sandbox.layer0.entities import Deploy, Environment, Job, LoadBalancer, Service, Task
from ecr_widgets.sandbox.workloads.task_definition import TaskDefinition

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


class Store(EntityStore):
    """All entities, by id, and the tags that names are resolved with. Implements `workloads.records.Records`.

    Args:
        folder: Where the file is kept.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, {each: (word, f"{word}_id") for each, word in _WORDS.items()})
        self.environments = self.of(Environment)
        self.deploys = self.of(Deploy)
        self.services = self.of(Service)
        self.tasks = self.of(Task)
        self.jobs = self.of(Job)
        self.load_balancers = self.of(LoadBalancer)
        self.tags: dict[str, dict[str, Tags]] = {}
        for place, content in self._rows("tag"):
            kind, _, entity_id = place.partition("/")
            self.tags.setdefault(kind, {})[entity_id] = msgspec.json.decode(content, type=Tags)
        self.is_new = not self.environments

    def remove(self, entity: Any) -> None:
        super().remove(entity)
        self.drop_tags(*self._name(entity))

    def tag(self, kind: str, entity_id: str, **values: str) -> None:
        """Set tags on an entity; a key has only one value, the last one set."""
        tags = self.tags.setdefault(kind, {}).setdefault(entity_id, {})
        tags.update(values)
        self._write("tag", f"{kind}/{entity_id}", tags)

    def untag(self, kind: str, entity_id: str, key: str) -> None:
        """Remove one of an entity's tags."""
        tags = self.tags[kind][entity_id]
        tags.pop(key, None)
        self._write("tag", f"{kind}/{entity_id}", tags)

    def drop_tags(self, kind: str, entity_id: str) -> None:
        """Remove all of an entity's tags."""
        self.tags.get(kind, {}).pop(entity_id, None)
        self._delete("tag", f"{kind}/{entity_id}")

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
        return 1 + max(
            (each.version for each in self.deploys.values() if each.name == deploy_name), default=0
        )

    def deploy(self, deploy_id: str) -> Deploy | None:
        """A deploy, unless it was deleted."""
        deploy = self.deploys.get(deploy_id)
        return None if deploy is None or deploy.deleted else deploy

    def task_definition(self, definition_id: str) -> TaskDefinition:
        """What a deploy runs, even after it was deleted."""
        deploy = self.deploys[definition_id]
        containers = [container_definition(each) for each in deploy.containers]
        return TaskDefinition(containers, [str(each.get("name")) for each in deploy.volumes])
