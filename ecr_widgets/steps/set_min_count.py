"""Set the minimum number of instances of a Layer0 environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ecr_widgets.errors import InputError
from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.service_lookup import find_environment
from ecr_widgets.steps.step import Foreseen


@dataclass(frozen=True, slots=True)
class MinCountOutcome:
    """The environment and its minimum number of instances."""

    environment_id: str
    environment: str
    previous_count: int
    min_count: int
    changed: bool


@dataclass(frozen=True)
class SetMinCount(Foreseen[MinCountOutcome]):
    """Set an environment's minimum number of instances.

    Raises:
        EntityNotFound: No such environment.

        InputError: The number makes no sense.
    """

    asks: ClassVar = ("Layer0: PUT /environment/ID",)

    environment: str
    min_count: int

    def look(self, outside: Outside, progress: ProgressSink) -> MinCountOutcome:
        if self.min_count < 0:
            raise InputError(f"{self.min_count} instances refused", hint="give 0 or more")
        layer0 = outside.layer0_of(self.environment, "a least number of instances")
        place = layer0.read_environment(find_environment(layer0, self.environment).environment_id)
        changed = place.min_count != self.min_count
        return MinCountOutcome(
            place.environment_id, self.environment, place.min_count, self.min_count, changed
        )

    def act(self, outside: Outside, found: MinCountOutcome, progress: ProgressSink) -> MinCountOutcome:
        if found.changed:
            outside.layer0.update_environment(found.environment_id, min_count=self.min_count)
        return found
