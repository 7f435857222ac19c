"""Delete a job and stop what runs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ecr_widgets.errors import EntityNotFound
from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.shared.deletion import Deletion, Entity
from ecr_widgets.steps.shared.outside import Outside


@dataclass(frozen=True)
class DeleteJob(Deletion):
    """Delete a job and stop what runs it; no error if it does not exist."""

    asks: ClassVar = ("Layer0: DELETE /job/ID",)

    job_id: str

    def look(self, outside: Outside, progress: ProgressSink) -> Entity | None:
        try:
            outside.layer0.read_job(self.job_id)
        except EntityNotFound:
            return None
        return Entity(self.job_id, self.job_id)

    def delete(self, outside: Outside, entity_id: str) -> None:
        outside.layer0.delete_job(entity_id)
