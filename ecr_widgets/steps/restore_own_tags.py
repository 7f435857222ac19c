"""Have Layer0 write the tags of its own entities again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.step import Foreseen


@dataclass(frozen=True, slots=True)
class TagsOutcome:
    """The tags of Layer0's own entities are written; the server does not say whether any was missing."""

    version: str
    changed: bool = True


@dataclass(frozen=True)
class RestoreOwnTags(Foreseen[TagsOutcome]):
    """Have Layer0 write the tags of its own entities, called `api`, again."""

    asks: ClassVar = ("Layer0: POST /admin/sql",)

    def look(self, outside: Outside, progress: ProgressSink) -> TagsOutcome:
        return TagsOutcome(outside.layer0.version())

    def act(self, outside: Outside, found: TagsOutcome, progress: ProgressSink) -> TagsOutcome:
        outside.layer0.restore_own_tags()
        return found
