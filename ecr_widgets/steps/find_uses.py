"""Find what uses a repository's images."""

from __future__ import annotations

from dataclasses import dataclass

from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.shared.image_uses import UsesOutcome
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.step import Look


@dataclass(frozen=True)
class FindUses(Look[UsesOutcome]):
    """Which services, tasks and stored deploys use the repository's images."""

    repository: str

    def look(self, outside: Outside, progress: ProgressSink) -> UsesOutcome:
        return outside.uses(self.repository, progress)
