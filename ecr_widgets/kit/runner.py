"""Runs steps: each leaves one record and holds its target meanwhile; in a plan it only looks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Any, Concatenate, ParamSpec, TypeVar, cast, get_args

from ecr_widgets.ports import ProgressSink, ignore_progress
from ecr_widgets.recording.recorder import AtWork, Recorder, as_json
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.step import Look, Step
from ecr_widgets.system_errors import in_words

Arguments = ParamSpec("Arguments")
Outcome = TypeVar("Outcome")


class Runner:
    """Runs the steps of one run.

    Args:
        planning: Whether to only plan steps that change something; `outside` must then refuse changes.
    """

    def __init__(self, outside: Outside, recorder: Recorder, *, planning: bool = False) -> None:
        self.outside = outside
        self.recorder = recorder
        self.planning = planning

    def run(self, step: Step[Any, Outcome]) -> Outcome:
        """Run the step and return its outcome, or in a plan the expected outcome.

        An exception from the step is recorded and raised again.
        """
        outside = self._patient()
        has_gate = outside.connections.gate.is_set
        with self._recording_failure(step):
            step = step.resolved(outside)
            check = step.gated(outside) if has_gate else None
        if check is not None:
            step = step.pinned(outside, self.run(check))
        outcome = self._run(step)
        if has_gate and (check := step.asked_afterwards(outcome)) is not None:
            self.run(check)
        return outcome

    def _run(self, step: Step[Any, Outcome]) -> Outcome:
        with self._recording_failure(step):
            inputs, expected = step.inputs(self._patient()), self._expected(step)
        if expected is not None:
            self.recorder.plan(step.step, inputs, lambda _: as_json(expected))
            return expected
        if not self.planning or isinstance(step, Look):
            inputs |= dict.fromkeys(step.notes)
            return self.recorder.perform(step.step, inputs, lambda at_work: self._perform(step, at_work))
        planned: list[Outcome] = []
        self.recorder.plan(step.step, inputs, lambda at_work: self._plan(step, at_work, planned))
        return planned[0]

    def _patient(self, progress: ProgressSink = ignore_progress) -> Outside:
        return replace(self.outside, progress=progress)

    @contextmanager
    def _recording_failure(self, step: Step[Any, Any]) -> Iterator[None]:
        """Record a failure of what comes before the step's own record, so that the step leaves a record anyway."""
        try:
            with in_words():
                yield
        except Exception as error:
            inputs: dict[str, Any] = {}
            # The inputs may be what failed.
            with suppress(Exception):
                inputs = step.inputs(self.outside)
            self.recorder.record_failure(step.step, inputs, error)
            raise

    def _expected(self, step: Step[Any, Outcome]) -> Outcome | None:
        """What a plan already knows about what the step would find."""
        if not (self.planning and isinstance(step, Look)):
            return None
        return cast("Outcome | None", step.expected(self.outside))

    def _perform(self, step: Step[Any, Outcome], at_work: AtWork) -> Outcome:
        outside = self._patient(at_work)
        with in_words(), ExitStack() as stack:
            target = step.holds(outside)
            held = stack.enter_context(outside.targets.hold(target)) if target else None
            found = step.look(outside, at_work)
            if held:
                held.refuse_lost()
            name, inputs = step.learned(found)
            at_work.learn(name, {**inputs, **step.noted(found)})
            compared = held if step.compares else None
            if compared:
                if (seen := step.seen(found)) is not None:
                    compared.note(seen)
                compared.compare(step.current(found), wanted=step.wanted(found))
            if held:
                # Once more: saving the intent may have taken long.
                held.refuse_lost()
            outcome = step.act(outside, found, at_work)
            if held and getattr(outcome, "changed", True):
                held.refuse_lost_meanwhile()
            if compared:
                compared.note(step.reached(outcome))
        return outcome

    def _plan(self, step: Step[Any, Outcome], at_work: AtWork, planned: list[Outcome]) -> dict[str, Any]:
        outside = self._patient(at_work)
        with in_words():
            found = step.look(outside, at_work)
            at_work.learn(*step.learned(found))
            outcome = step.plan(outside, found)
        planned.append(outcome)
        record: dict[str, Any] = as_json(step.plan_record(outside, found, outcome)) or {}
        return record | (
            {"asks": list(step.asked(outside, found))} if record.get("changed") and step.asks else {}
        )


class _StepsType(type):
    """Makes all calls when they are listed, because completion in notebooks shows signatures of functions only."""

    def __dir__(cls) -> list[str]:
        for owner in cls.__mro__:
            for name in [name for name, made in vars(owner).items() if isinstance(made, _LaterCall)]:
                getattr(owner, name)
        return list(super().__dir__())


class Steps(metaclass=_StepsType):
    """Calls of the kit; each is one step."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def __dir__(self) -> list[str]:
        dir(type(self))
        return list(super().__dir__())


def call(
    find: Callable[[], Callable[Arguments, Step[Any, Outcome]]],
) -> Callable[Concatenate[Steps, Arguments], Outcome]:
    """Return the kit's method for a step: its arguments are the step's fields, its help is the step's docstring.

    Args:
        find: Returns the step's class; called when the method is first looked up, so that a run does not import steps that it
            does not use.
    """
    return cast("Callable[Concatenate[Steps, Arguments], Outcome]", _LaterCall(find))


class _LaterCall:
    """A placeholder that becomes the step's method when it is first looked up."""

    def __init__(self, find: Callable[[], Any]) -> None:
        self._find = find

    def __set_name__(self, owner: type[Steps], name: str) -> None:
        self._owner, self._name = owner, name

    def __get__(self, steps: Steps | None, owner: type[Steps]) -> Any:
        made = _call_of(self._find())
        setattr(self._owner, self._name, made)
        return made.__get__(steps, owner)


def _call_of(step: Any) -> Any:
    def perform(steps: Steps, /, *args: Any, **kwargs: Any) -> Any:
        return steps._runner.run(step(*args, **kwargs))

    # The type of the step's outcome, so that a notebook's help shows what the call takes and returns.
    outcome = get_args(step.__orig_bases__[0])[-1]
    fields = inspect.signature(step)
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    signature = fields.replace(parameters=[itself, *fields.parameters.values()], return_annotation=outcome)
    perform.__name__, perform.__doc__ = step.step, step.__doc__
    perform.__signature__ = signature  # type: ignore[attr-defined]
    # For the tests that check every step.
    perform.step = step  # type: ignore[attr-defined]
    return perform
