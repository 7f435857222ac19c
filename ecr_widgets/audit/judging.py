"""The verdict on a run: what its own records prove, and what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ecr_widgets.audit.agreement import disagreements
from ecr_widgets.audit.calls import records_of_call
from ecr_widgets.audit.postconditions import missing_of
from ecr_widgets.audit.run import SUCCEEDED, Cell, Found, NoRun, Origin, Run
from ecr_widgets.model.record import CellState, RunState, StepRecord, StepState
from ecr_widgets.model.text import cut

RULES = 1
"""Increment when the rules for verdicts change: what was judged by other rules is judged again."""


class Verdict(StrEnum):
    """What an audit says about a notebook; the value is its spelling everywhere."""

    PROVEN = "proven"
    UNPROVEN = "unproven"
    PLAN = "plan"
    """It shows what a run would change, and proves no change."""
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    RUNNING = "running"
    TAMPERED = "tampered"
    FOREIGN = "foreign"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with its reasons, in words; a proven run has none."""

    verdict: Verdict
    reasons: tuple[str, ...] = ()

    @property
    def why(self) -> str:
        """The reasons in one line, each cut to a readable length."""
        return "; ".join(cut(reason, _MAX_REASON) for reason in self.reasons[:_MAX_REASONS])


_MAX_REASON, _MAX_REASONS = 500, 20


def judge(found: Found) -> Judgement:
    """Judge what was found, from its own evidence alone."""
    if isinstance(found, NoRun):
        return Judgement(Verdict(found.kind), (found.why,))
    if found.state is RunState.RUNNING:
        if found.held:
            return Judgement(Verdict.RUNNING, ("it is running now",))
        return Judgement(Verdict.INTERRUPTED, (f"it stopped without an end{_at(found)}",))
    if found.state is RunState.INTERRUPTED:
        return Judgement(Verdict.INTERRUPTED, ((found.reason or "no reason is recorded") + _at(found),))
    if found.state is RunState.FAILED:
        return Judgement(Verdict.FAILED, (found.reason or _error(found) or "no reason is recorded",))
    if found.is_plan:
        return _of_plan(found)
    missing = tuple(dict.fromkeys(_missing(found)))
    return Judgement(Verdict.UNPROVEN, missing) if missing else Judgement(Verdict.PROVEN)


def _of_plan(run: Run) -> Judgement:
    done = [step.step for step in run.steps if step.changed and not step.is_planned]
    if done:
        return Judgement(Verdict.UNPROVEN, (f"a plan in which {', '.join(done)} changed something",))
    would = [step.step for step in run.steps if step.changed]
    effect = f"it would {', '.join(would)}" if would else "it would change nothing"
    return Judgement(Verdict.PLAN, (effect,))


def _missing(run: Run) -> list[str]:
    missing = []
    if run.state is RunState.UNKNOWN:
        missing.append("the outcome of " + (_open_step(run) or "a step") + " is unknown")
    if run.origin is not Origin.ENGINE:
        missing.append(f"run {_HOW[run.origin]}, so nobody watched the cells or the end")
    missing += run.bad_records
    missing += _missing_in_cells(run)
    steps = run.steps
    if not steps:
        missing.append("no step left a record")
    missing += _missing_in_records(run, steps)
    missing += missing_of(steps)
    missing += disagreements(run)
    return missing


_HOW = {Origin.PAPERMILL: "by plain papermill", Origin.BY_HAND: "by hand"}


def _missing_in_cells(run: Run) -> list[str]:
    missing = []
    watched, well = run.origin is Origin.ENGINE, CellState.SUCCEEDED
    for cell in run.cells:
        if cell.execution_count is None or cell.execution_count < 1:
            missing.append(f"cell {cell.cell_id} has no execution count")
        if watched and cell.state is not well:
            missing.append(f"cell {cell.cell_id} is {cell.state or 'without a state'}")
        if cell.hidden is not None:
            missing.append(f"cell {cell.cell_id} may call steps that cannot be seen: {cell.hidden}")
        if cell.calls or cell.steps:
            missing += _calls_against_records(cell)
    return missing


def _calls_against_records(cell: Cell) -> Iterator[str]:
    # Nearly all cells are like this, and an audit reads very many.
    if len(cell.calls) == len(cell.steps) == 1 and cell.steps[0].step in records_of_call(cell.calls[0]):
        return
    here = Counter(step.step for step in cell.steps)
    for call, places in Counter(cell.calls).items():
        records = sum(here[name] for name in records_of_call(call))
        if not records:
            yield f"cell {cell.cell_id} calls {call} and holds no record of it"
        elif records < places:
            yield f"cell {cell.cell_id} calls {call} in {places} places and holds {records} of {places} records"
    for name in here:
        if name not in cell.may_hold:
            yield f"cell {cell.cell_id} holds a record of {name:.80} and does not call it"


def _missing_in_records(run: Run, steps: Sequence[StepRecord]) -> list[str]:
    missing = []
    for number, step in enumerate(steps, start=1):
        if step.run_id != run.run_id:
            missing.append(f"the record of {step.step} is of another run, {step.run_id}")
        elif step.sequence != number:
            missing.append(f"record {number} is missing: {step.step} calls itself {step.sequence}")
            break
    began = run.resumed_at or run.started_at
    for step in steps:
        if began is not None and step.started_at < began:
            missing.append(f"{step.step} started before the run did")
        if run.ended_at is not None and step.ended_at is not None and step.ended_at > run.ended_at:
            missing.append(f"{step.step} ended after the run did")
        if step.state is not SUCCEEDED:
            missing.append(f"{step.step} is {step.state.value}")
        elif step.ended_at is None or step.changed is None:
            missing.append(f"{step.step} has no end")
    return missing


def _at(run: Run) -> str:
    step = _open_step(run)
    return f" at {step}" if step else ""


def _open_step(run: Run) -> str | None:
    return next((s.step for s in run.steps if s.state in (StepState.INTENDED, StepState.UNKNOWN)), None)


def _error(run: Run) -> str | None:
    return next((f"{s.step}: {(s.error or {}).get('message', '')}" for s in run.steps if s.error), None)
