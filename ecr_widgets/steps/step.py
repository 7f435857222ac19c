"""What a step is: one frozen value whose fields are its inputs, that looks first and then acts.

A run looks, saves the intent to disk, acts, and records the outcome; a plan looks, and records what would be done. Panels,
runbooks and commands run the same value, through `kit.runner`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps import name_of

if TYPE_CHECKING:
    from ecr_widgets.steps.shared.outside import Outside

Found = TypeVar("Found")
Outcome = TypeVar("Outcome")

NOT_YET = "known when it is made"
"""In a plan: what only the run will find out, such as the digest of an image that is not built yet."""
_RECORDED = "recorded"


def if_given(default: Any) -> Any:
    """A field that the record only names if it was given a value that is not empty."""
    return dataclasses.field(default=default, metadata={_RECORDED: "if given"})


def unrecorded(default: Any = dataclasses.MISSING) -> Any:
    """A field that no record shows: how long to wait, a confirmation, values that may be secrets."""
    return dataclasses.field(default=default, metadata={_RECORDED: "never"})


class Step(Generic[Found, Outcome]):
    """One step; its subclasses are frozen dataclasses.

    The class's docstring is also that of the kit's call, which takes the fields as its arguments.
    """

    step: ClassVar[str]
    """The step's name in records: that of its class, unless it has another."""
    asks: ClassVar[tuple[str, ...]] = ()
    """The requests that change something, with the system they go to, or the calls of `ports.services.Services` that do; the
    addresses of registry and Layer0 are in the record of `check_target`. Empty if it changes nothing."""
    notes: ClassVar[tuple[str, ...]] = ()
    """Inputs that a run notes after its look, in case it is resumed; until then they are null in its record."""
    compares: ClassVar[bool] = True
    """Whether the target must be on what the run last saw; otherwise the target is only held."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "step" not in vars(cls):
            cls.step = name_of(cls.__name__)

    def resolved(self, outside: Outside) -> Self:
        """The same step with its names as the registry has them; this is what it records and does."""
        name = getattr(self, "repository", None)
        if name is None:
            return self
        return dataclasses.replace(self, repository=outside.session.repository(name))  # type: ignore[type-var]

    def inputs(self, outside: Outside) -> dict[str, Any]:
        """The inputs as the record has them; the same in a plan and in its run."""
        inputs = {}
        for each in dataclasses.fields(self):  # type: ignore[arg-type]  # subclasses are dataclasses
            value, shown = getattr(self, each.name), each.metadata.get(_RECORDED, "always")
            if shown == "always" or (shown == "if given" and value):
                inputs[each.name] = value
        return inputs

    def holds(self, outside: Outside) -> str | None:
        """What no other run may change meanwhile, by `Targets`' name for it; None if there is nothing."""
        return None

    def look(self, outside: Outside, progress: ProgressSink) -> Found:
        """Read what the step depends on; changes nothing."""
        raise NotImplementedError

    def seen(self, found: Found) -> str | None:
        """What the target was on when the caller saw it; None for what the run itself last saw."""
        return None

    def current(self, found: Found) -> str | None:
        """What the target is on now, such as a digest or a deploy's id; None for nothing."""
        return None

    def wanted(self, found: Found) -> str | None:
        """What the target will be on; if it already is, by this run's earlier attempt or anybody else, that is fine."""
        return None

    def learned(self, found: Found) -> tuple[str, Mapping[str, Any]]:
        """The step's name in this record, and further inputs: what only its look could find out."""
        return self.step, {}

    def noted(self, found: Found) -> dict[str, Any]:
        """In a run: what its look found out in case it is resumed, for the inputs that `notes` names."""
        return {}

    def asked(self, outside: Outside, found: Found) -> tuple[str, ...]:
        """The requests that it would make after that look."""
        return self.asks

    def plan(self, outside: Outside, found: Found) -> Outcome:
        """What the outcome would be, for the next steps of the plan."""
        raise NotImplementedError

    def plan_record(self, outside: Outside, found: Found, planned: Outcome) -> Any:
        """What a plan's record says: the outcome that it would have, unless a step knows more or less."""
        return planned

    def act(self, outside: Outside, found: Found, progress: ProgressSink) -> Outcome:
        """Do it, and return what the record keeps; `changed` says whether this call changed anything."""
        raise NotImplementedError

    def reached(self, outcome: Outcome) -> str | None:
        """What the target is on afterwards."""
        return None

    def gated(self, outside: Outside) -> Step[Any, Any] | None:
        """The step that checks against a policy whether this may be done; it is performed first, if there is a policy."""
        return None

    def pinned(self, outside: Outside, checked: Any) -> Self:
        """The same step, for exactly what was checked against the policy."""
        return self

    def asked_afterwards(self, outcome: Outcome) -> Step[Any, Any] | None:
        """The step that checks this against the policy afterwards, if it must not wait for the check."""
        return None


class Foreseen(Step[Outcome, Outcome]):
    """A step whose look already says what the outcome will be."""

    def plan(self, outside: Outside, found: Outcome) -> Outcome:
        return found


class Look(Step[Outcome, Outcome]):
    """A step that only reads: a plan performs it as a run does."""

    def expected(self, outside: Outside) -> Outcome | None:
        """In a plan: what it would find once the plan's own steps have made it; None if it has to look."""
        return None

    def act(self, outside: Outside, found: Outcome, progress: ProgressSink) -> Outcome:
        """Nothing is left to do."""
        return found
