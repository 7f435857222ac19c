"""Link two Layer0 environments, so that they can talk to each other, or unlink them."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from ecr_widgets.errors import InputError
from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.service_lookup import find_environment
from ecr_widgets.steps.step import Foreseen


@dataclass(frozen=True, slots=True)
class LinkOutcome:
    """Two environments that are linked now, or no longer."""

    environment_id: str
    other_id: str
    linked: bool
    changed: bool


@dataclass(frozen=True)
class LinkEnvironments(Foreseen[LinkOutcome]):
    """Link two environments, so that they can talk to each other, or unlink them.

    Raises:
        EntityNotFound: No such environment.

        InputError: An environment cannot be linked to itself.
    """

    asks: ClassVar = ("Layer0: POST or DELETE /environment/ID/link",)

    environment: str
    other: str
    _: KW_ONLY
    linked: bool = True

    def look(self, outside: Outside, progress: ProgressSink) -> LinkOutcome:
        layer0 = outside.layer0_of(self.environment, "a link")
        one, two = (find_environment(layer0, each).environment_id for each in (self.environment, self.other))
        if one == two:
            raise InputError(f"environment {self.environment!r} cannot be linked to itself", hint="name two")
        # The real server only reports one link for each side, so both sides are read.
        linked = two in layer0.read_environment(one).links or one in layer0.read_environment(two).links
        return LinkOutcome(one, two, self.linked, changed=linked is not self.linked)

    def act(self, outside: Outside, found: LinkOutcome, progress: ProgressSink) -> LinkOutcome:
        if found.changed:
            change = outside.layer0.link_environments if self.linked else outside.layer0.unlink_environments
            change(found.environment_id, found.other_id)
        return found
