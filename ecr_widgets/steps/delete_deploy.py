"""Delete a stored deploy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ecr_widgets.errors import EntityNotFound
from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.shared.deletion import Deletion, Entity
from ecr_widgets.steps.shared.outside import Outside


@dataclass(frozen=True)
class DeleteDeploy(Deletion):
    """Delete a stored deploy; services that run it keep running. No error if it does not exist."""

    asks: ClassVar = ("Layer0: DELETE /deploy/ID",)

    deploy_id: str

    def look(self, outside: Outside, progress: ProgressSink) -> Entity | None:
        try:
            return Entity(self.deploy_id, outside.layer0.read_deploy(self.deploy_id).name)
        except EntityNotFound:
            return None

    def delete(self, outside: Outside, entity_id: str) -> None:
        outside.layer0.delete_deploy(entity_id)
