"""What all deletions of Layer0's entities have in common: no error if it does not exist, and a wait until Layer0 is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.shared.layer0_jobs import wait_for_job
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.step import Step


@dataclass(frozen=True, slots=True)
class DeletionOutcome:
    """What was deleted; `job_id` is None if it did not exist, or if Layer0 needs no job for it."""

    kind: str
    name: str
    entity_id: str | None
    job_id: str | None
    changed: bool


@dataclass(frozen=True, slots=True)
class Entity:
    """What is to be deleted."""

    entity_id: str
    name: str


class Deletion(Step[Entity | None, DeletionOutcome]):
    """A deletion; its subclasses find the entity and request its deletion."""

    compares: ClassVar = False

    @property
    def kind(self) -> str:
        """What is deleted, for people."""
        return self.step.removeprefix("delete_").replace("_", " ")

    @property
    def asked_name(self) -> str:
        """What the caller calls it: the field with the kind's name, or with that of its id."""
        kind = self.step.removeprefix("delete_")
        return str(getattr(self, kind if hasattr(self, kind) else f"{kind}_id"))

    def delete(self, outside: Outside, entity_id: str) -> str | None:
        """Request the deletion, and return the id of the job that does it, if Layer0 has one for it."""
        raise NotImplementedError

    def plan(self, outside: Outside, found: Entity | None) -> DeletionOutcome:
        if found is None:
            return DeletionOutcome(self.kind, self.asked_name, None, None, changed=False)
        return DeletionOutcome(self.kind, found.name, found.entity_id, None, changed=True)

    def act(self, outside: Outside, found: Entity | None, progress: ProgressSink) -> DeletionOutcome:
        if found is None:
            return self.plan(outside, found)
        job_id = self.delete(outside, found.entity_id)
        if job_id is not None:
            what = f"deletion of {self.kind} {found.name!r}"
            timeout_s = getattr(self, "timeout_s")  # noqa: B009 -- only subclasses with a job have it
            wait_for_job(outside.layer0, outside.clock, job_id, what=what, timeout_s=timeout_s)
        return DeletionOutcome(self.kind, found.name, found.entity_id, job_id, changed=True)
