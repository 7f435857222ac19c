"""What a step is: one frozen value whose fields are its inputs, that looks first and acts then.

A run looks, has the intent on disk, acts, and records the outcome; a plan looks, and records what would be done. Panels,
runbooks and commands run the same value, through `kit.runner`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

from ecr_widgets.ports import ProgressSink

if TYPE_CHECKING:
    from ecr_widgets.steps.shared.outside import Outside

Found = TypeVar("Found")
Outcome = TypeVar("Outcome")

NOT_YET = "known when it is made"
"""In a plan: what only the run will tell, such as the digest of an image that is not built yet."""
_RECORDED = "recorded"


def if_given(default: Any) -> Any:
    """A field that the record names only where it was given a value other than nothing."""
    return dataclasses.field(default=default, metadata={_RECORDED: "if given"})


def unrecorded(default: Any = dataclasses.MISSING) -> Any:
    """A field that no record shows: how long to wait, a confirmation, values that may be secrets."""
    return dataclasses.field(default=default, metadata={_RECORDED: "never"})


class Step(Generic[Found, Outcome]):
    """One step; its subclasses are frozen dataclasses.

    The class's docstring is that of the kit's call, which takes the fields as its arguments.
    """

    step: ClassVar[str]
    """The step's name in records."""
    asks: ClassVar[tuple[str, ...]] = ()
    """The requests that change something, and of whom, or the calls of `ports.services.Services` that do; the addresses
    of registry and Layer0 are in the record of `check_target`. Empty where it changes nothing."""
    notes: ClassVar[tuple[str, ...]] = ()
    """Inputs that a run notes after its look, for whoever resumes it; until then they are null in its record."""
    compares: ClassVar[bool] = True
    """Whether what the target is on must be what the run saw last; else the target is only held."""

    def resolved(self, outside: Outside) -> Self:
        """The same step with its names as the registry has them; what it records and does is that."""
        return self

    def inputs(self, outside: Outside) -> dict[str, Any]:
        """What the record says that was asked for; the same in a plan and in its run."""
        inputs = {}
        for each in dataclasses.fields(self):  # type: ignore[arg-type]  # subclasses are dataclasses
            value, shown = getattr(self, each.name), each.metadata.get(_RECORDED, "always")
            if shown == "always" or (shown == "if given" and value):
                inputs[each.name] = value
        return inputs

    def holds(self, outside: Outside) -> str | None:
        """What no other run may change meanwhile, by `Targets`' name for it; None where there is nothing of the kind."""
        return None

    def look(self, outside: Outside, progress: ProgressSink) -> Found:
        """Read what the step depends on; changes nothing."""
        raise NotImplementedError

    def seen(self, found: Found) -> str | None:
        """What the caller saw that the target is on; None for what the run itself saw last."""
        return None

    def current(self, found: Found) -> str | None:
        """What the target is on now, such as a digest or a deploy's id; None for nothing."""
        return None

    def wanted(self, found: Found) -> str | None:
        """What the target is to be on; where it is already, it was this run's own earlier attempt or it is all the same."""
        return None

    def learned(self, found: Found) -> tuple[str, Mapping[str, Any]]:
        """The step's name in this record, and further inputs: what only its look could tell."""
        return self.step, {}

    def noted(self, found: Found) -> dict[str, Any]:
        """In a run: what its look found out for whoever resumes it, for the inputs that `notes` names."""
        return {}

    def asked(self, outside: Outside, found: Found) -> tuple[str, ...]:
        """The requests that it would ask after that look."""
        return self.asks

    def plan(self, outside: Outside, found: Found) -> Outcome:
        """What the outcome would be, for the steps that a plan looks at next."""
        raise NotImplementedError

    def plan_record(self, outside: Outside, found: Found, planned: Outcome) -> Any:
        """What a plan's record says; the outcome it would have, unless a step knows more or less."""
        return planned

    def act(self, outside: Outside, found: Found, progress: ProgressSink) -> Outcome:
        """Do it, and give back what the record keeps; `changed` says whether this call changed anything."""
        raise NotImplementedError

    def reached(self, outcome: Outcome) -> str | None:
        """What the target is on after it."""
        return None

    def gated(self, outside: Outside) -> Step[Any, Any] | None:
        """What asks a policy whether this may be done; it is performed before, where there is a policy."""
        return None

    def pinned(self, outside: Outside, checked: Any) -> Self:
        """The same step, of just what the policy was asked about."""
        return self

    def asked_afterwards(self, outcome: Outcome) -> Step[Any, Any] | None:
        """What asks the policy once this is done, where it is not to wait for that."""
        return None


class Look(Step[Outcome, Outcome]):
    """A step that only reads: a plan performs it as a run does."""

    def expected(self, outside: Outside) -> Outcome | None:
        """In a plan: what it would find once the plan's own steps have made it; None where it has to look."""
        return None

    def act(self, outside: Outside, found: Outcome, progress: ProgressSink) -> Outcome:
        """Nothing is left to do."""
        return found
