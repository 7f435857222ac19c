"""Stop a task and delete it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ecr_widgets.errors import EntityNotFound
from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.shared.deletion import Deletion, Entity
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.task_lookup import find_task


@dataclass(frozen=True)
class DeleteTask(Deletion):
    """Stop a task and delete it; no error if it does not exist.

    Args:
        task_id: Its id, its name, or ENVIRONMENT:NAME.

    Raises:
        InputError: Several tasks have that name.
    """

    asks: ClassVar = ("Layer0: DELETE /task/ID",)

    task_id: str

    def look(self, outside: Outside, progress: ProgressSink) -> Entity | None:
        try:
            task = find_task(outside.services_of(self.task_id), self.task_id)
        except EntityNotFound:
            return None
        return Entity(task.task_id, task.name)

    def delete(self, outside: Outside, entity_id: str) -> None:
        outside.services_of(self.task_id).delete_task(entity_id)
