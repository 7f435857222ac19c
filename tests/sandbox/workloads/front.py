"""The least that a front has to be: records in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from ecr_widgets.sandbox.workloads.records import LoadBalancer, Service, Task
from ecr_widgets.sandbox.workloads.task_definition import ContainerDefinition, TaskDefinition


@dataclass
class Front:
    """Implements `workloads.records.Records`."""

    services: dict[str, Service] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    load_balancers: dict[str, LoadBalancer] = field(default_factory=dict)
    definitions: dict[str, TaskDefinition] = field(default_factory=dict)
    saved: int = 0

    def define(self, name: str, *containers: ContainerDefinition) -> None:
        """Give a task definition a name."""
        self.definitions[name] = TaskDefinition(list(containers))

    def task_definition(self, definition_id: str) -> TaskDefinition:
        return self.definitions[definition_id]

    def save_changes(self, record: Service | Task | LoadBalancer) -> None:
        self.saved += 1
