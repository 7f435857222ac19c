"""The cell on top of a saved run: what became of it, image and service, who ran it and why, and what to do next.

Only a view, made from the run's header and records and never read back. The seal covers it: if it contradicts them,
someone has changed it.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from ecr_widgets.errors import RecordError
from ecr_widgets.model.drawing import AMBER, GREEN, GREY, RED, Bar, gantt
from ecr_widgets.model.markup import Markup, element, escaped
from ecr_widgets.model.record import RECORD_MIME, StepRecord, StepState
from ecr_widgets.model.run import RunHeader
from ecr_widgets.model.text import cut
from ecr_widgets.model.times import to_rfc3339
from ecr_widgets.saved_runs.outcome import COLOURS, SIGNS, Fate, Outcome, RunOutcome, outcome_of
from ecr_widgets.saved_runs.reading import MARK, note_among, own_metadata

SUMMARY_ID = "run-summary"
"""The cell's id."""
_MOST_BARS, _MOST_LINES = 30, 8
_LONGEST_LINE = 200
_cut = partial(cut, longest=600)
_NO_MARKDOWN = str.maketrans({sign: f"&#{ord(sign)};" for sign in "*_`$\\[]~|^\n\r"})
"""Characters that a front end would read as Markdown or a formula, even within HTML; as entities they are plain text."""
_NO_FORMULAS = "tex2jax_ignore mathjax_ignore"


def put_summary(notebook: dict[str, Any], redact: Callable[[Any], Any] = lambda value: value) -> bool:
    """Update the cell on top of a run's notebook from its header and records; return whether that changed the cell.

    Args:
        redact: Removes known secrets from a JSON value; in HTML they would not be found.
    """
    masked = redact({
        "header": own_metadata(notebook), "records": list(_records(notebook)), "note": _note(notebook)
    })  # fmt: skip
    source = _summary(
        msgspec.convert(masked["header"], RunHeader), tuple(_steps(masked["records"])), masked["note"]
    )
    cell = next((cell for cell in notebook["cells"] if is_summary(cell)), None)
    if cell is None:
        cell = {"cell_type": "markdown", "id": SUMMARY_ID, "metadata": {}, "source": ""}
        notebook["cells"].insert(0, cell)
    if cell["source"] == source:
        return False
    cell["source"] = source
    return True


def is_summary(cell: Mapping[str, Any]) -> bool:
    """Whether a cell is a saved run's summary."""
    return cell.get("id") == SUMMARY_ID and cell.get("cell_type") == "markdown"


def _records(notebook: Mapping[str, Any]) -> Iterator[str]:
    """The records that the engine marked, as JSON."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            record = output.get("data", {}).get(RECORD_MIME)
            if isinstance(record, str) and own_metadata(output).get(MARK):
                yield record


def _steps(records: Iterable[str]) -> Iterator[StepRecord]:
    for each in records:
        try:
            yield StepRecord.from_json(each)
        except RecordError:
            continue


def _note(notebook: Mapping[str, Any]) -> str:
    return note_among(cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "markdown")


def _summary(header: RunHeader, steps: Sequence[StepRecord], note: str) -> str:
    result = outcome_of(header, steps, held=True)
    colour = COLOURS[result.outcome]
    body = element(
        "div",
        _head(header, result, colour),
        _table(_facts(header, steps, result, note)),
        *_trouble(header, steps, colour),
        gantt(tuple(_bars(header, steps))) if steps else Markup(),
        style=f"border:1px solid #8888;border-left:6px solid {colour};border-radius:6px;padding:8px 14px;line-height:1.5",
        kind=_NO_FORMULAS,
    )
    return body.translate(_NO_MARKDOWN)


def _head(header: RunHeader, result: RunOutcome, colour: str) -> Markup:
    chip = element(
        "span",
        f"{SIGNS[result.outcome]} {result.words}",
        style=f"display:inline-block;border-radius:10px;background:{colour};color:#fff;padding:0 10px",
    )
    return element("div", chip, " ", element("b", _cut(header.runbook)), " ", element("b", _cut(result.what)))


def _facts(
    header: RunHeader, steps: Sequence[StepRecord], result: RunOutcome, note: str
) -> Iterator[tuple[str, str]]:
    approved_by = header.approval.get("approved_by") if header.approval else None
    who = f"{header.actor or 'unknown'} on {header.host or 'unknown'}"
    yield "who", who + (f", approved by {approved_by}" if approved_by else "")
    yield "when", _when(header)
    if note:
        yield "why", _cut(note)
    if result.digest:
        yield "digest", result.digest
    yield "changed", _changed(steps, result)
    for line in _now(result):
        yield "now", line
    for command in _next(header, result):
        yield "next", command
    yield "run", header.run_id


def _when(header: RunHeader) -> str:
    began = (to_rfc3339(header.started_at) or "")[:19].replace("T", " ")
    resumed = (
        f", resumed {(to_rfc3339(header.resumed_at) or '')[:19].replace('T', ' ')}"
        if header.resumed_at
        else ""
    )
    if header.ended_at is None:
        # Only its lock shows whether it is still running.
        return f"running since {began} UTC{resumed}"
    took_s = (header.ended_at - (header.began_at or header.ended_at)).total_seconds()
    return f"{began} UTC{resumed}, took {took_s:.1f} s"


def _changed(steps: Sequence[StepRecord], result: RunOutcome) -> str:
    if result.outcome is Outcome.PLANNED or any(step.is_planned for step in steps):
        would = [step.step for step in steps if step.is_planned and step.changed]
        return f"nothing; a run would {', '.join(would)}" if would else "nothing; a run would change nothing"
    nothing = "nothing yet" if result.outcome is Outcome.RUNNING else "nothing"
    return ", ".join(result.changed) or nothing


def _now(result: RunOutcome) -> Iterator[str]:
    """What each service currently runs, as far as this run knows."""
    if result.outcome is Outcome.RUNNING:
        return
    yield from (f"{_cut(fate.service)} {_current(fate)}" for fate in result.fates)


def _current(fate: Fate) -> str:
    deploy = f"deploy {_cut(fate.deploy_id)}" if fate.deploy_id else "its deploy"
    return {
        "moved": f"was moved to {deploy}; nobody has checked whether it runs",
        "runs": f"runs {deploy}",
        "down": f"was left on {deploy}, which it does not run" if fate.changed else f"does not run {deploy}",
        "back": f"is back on {deploy}",
    }.get(fate.how, f"may be on {deploy}: what came of the request is not known")


def _next(header: RunHeader, result: RunOutcome) -> Iterator[str]:
    """Commands that the reader may want to run next."""
    if header.waits_for_approval and result.outcome is Outcome.PLANNED:
        yield f"ecr-widgets approve {shlex.quote(header.run_id)}"
    if result.outcome in (Outcome.PLANNED, Outcome.RUNNING):
        return
    for fate in result.fates:
        environment, slash, service = (
            fate.service.partition("/") if fate.service.count("/") == 1 else ("", "", "")
        )
        if slash and (fate.how == "down" or (fate.changed and fate.how == "moved")):
            yield f"ecr-widgets rollback {shlex.quote(environment)} {shlex.quote(service)}"
    if result.outcome is not Outcome.SUCCEEDED:
        yield f"ecr-widgets run --resume {shlex.quote(header.run_id)}"


def _trouble(header: RunHeader, steps: Sequence[StepRecord], colour: str) -> Iterator[Markup]:
    """The errors, each with the last lines that containers or a build wrote."""
    failed = [step for step in steps if step.error]
    for step in failed:
        error = step.error or {}
        lines = error.get("log") or error.get("reasons") or ()
        shown = _counted(map(str, lines))[-_MOST_LINES:] if isinstance(lines, list) else []
        yield _box(colour, f"✗ {_cut(step.step)}", _cut(str(error.get("message", ""))), shown)
    if not failed and header.reason:
        yield _box(colour, "✗", _cut(header.reason), [])


def _counted(lines: Iterable[str]) -> list[str]:
    """Each line once, with the number of times it occurred."""
    return [line + (f"  ×{count}" if count > 1 else "") for line, count in Counter(lines).items()]


def _box(colour: str, name: str, message: str, lines: Sequence[str]) -> Markup:
    log = "\n".join(cut(each, _LONGEST_LINE) for each in lines)
    return element(
        "div",
        element("b", name),
        " ",
        message,
        element("pre", escaped(log), style="margin:4px 0;white-space:pre-wrap") if log else Markup(),
        style=f"border-left:4px solid {colour};padding:2px 10px;margin:6px 0",
    )


def _bars(header: RunHeader, steps: Sequence[StepRecord]) -> Iterator[Bar]:
    shown = steps[-_MOST_BARS:]
    began = min((step.started_at for step in shown), default=header.began_at)
    assert began is not None
    ends = [step.ended_at or step.started_at for step in shown]
    last = max((*ends, *filter(None, (header.ended_at,))), default=began)
    for step in shown:
        sign, colour, words = _look_of(step)
        yield Bar(
            sign,
            cut(step.step, 40),
            _seconds(began, step.started_at),
            _seconds(began, step.ended_at or last),
            colour,
            words,
        )


def _look_of(step: StepRecord) -> tuple[str, str, str]:
    if step.is_planned:
        return "☐", AMBER if step.changed else GREY, "would change" if step.changed else ""
    if step.state is StepState.SUCCEEDED:
        return ("✓", GREEN, "changed") if step.changed else ("✓", GREY, "")
    if step.state is StepState.FAILED:
        return "✗", RED, "failed"
    return ("…", AMBER, "not ended") if step.state is StepState.INTENDED else ("?", AMBER, "unknown")


def _seconds(began: datetime, moment: datetime) -> float:
    return (moment - began).total_seconds()


def _table(facts: Iterable[tuple[str, str]]) -> Markup:
    rows = (
        element(
            "tr",
            element(
                "td", name, style="text-align:left;padding:0 14px 0 0;border:0;vertical-align:top;width:5em"
            ),
            element(
                "td",
                element("code", text) if name in ("digest", "next", "run") else text,
                style="text-align:left;padding:0;border:0;white-space:normal;overflow-wrap:anywhere;word-break:break-word",
            ),
            style="background:none",
        )
        for name, text in facts
    )
    return element("table", *rows, style="border:0;margin:6px 0;width:98%;table-layout:fixed")
