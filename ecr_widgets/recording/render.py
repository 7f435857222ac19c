"""A record for people: HTML that any viewer shows, and plain text.

In an untrusted notebook JupyterLab strips style sheets, ids, positions and handlers; inline styles and `<details>` survive, so
this uses nothing else. No text colour is readable on both light and dark backgrounds, so text has the theme's colour and only
the bar at the side is coloured; the state is always also a word and a sign.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ecr_widgets.model.drawing import BLUE, GREY, Series, stacked
from ecr_widgets.model.markup import Markup, element, escaped
from ecr_widgets.model.plan_lines import is_marked, planned_line
from ecr_widgets.model.record import StepRecord, StepState
from ecr_widgets.model.text import cut, visible
from ecr_widgets.model.times import to_rfc3339
from ecr_widgets.recording.rates import TOTAL

if TYPE_CHECKING:
    from ecr_widgets.ports import Progress

_SIGNS = {
    StepState.INTENDED: ("…", "#8a6d00"),
    StepState.SUCCEEDED: ("✓", "#2e7d32"),
    StepState.FAILED: ("✗", "#c62828"),
    StepState.UNKNOWN: ("?", "#ad5a00"),
}
_UNCHANGED = ("=", "#546e7a")
_LOOKING = frozenset(
    (
        "check_evidence", "check_repository", "check_target", "find_findings", "find_image", "find_service", "find_unused_images", "find_uses",
        "fleet_result", "login", "plan_fleet", "verify", "wait",
    )
)  # fmt: skip
"""Steps that never change anything, so `it already existed` does not apply to them."""
_MAX_VALUE_LENGTH = 2000
_WARNING = "  ! "
_COURSE = "copies_by_s"
_ELSEWHERE = ("planned", _COURSE)
"""Members of an outcome that are not shown in its table but in the verdict and as a plot."""
_ONE_LINE = 100
"""How many characters of an object's members fit on one line."""
NO_RATES: Mapping[str, float] = {}
_OF_TARGETS: Mapping[str, str] = {
    "succeeded": "#2e7d32",
    "failed": "#c62828",
    "unknown": "#ad5a00",
    "waiting": "#1976d2",
    "not_started": "#b0bec5",
    "ran_before": "",
}
"""The counts of a wave's targets, with their colours in its bar."""
_LABELS = {"asks": "calls"}
"""What is shown instead of a member's name."""
_NOTHING: tuple[object, ...] = (None, "", [], {})


def to_html(
    record: StepRecord, observed: tuple[Progress, ...] = (), rates: Mapping[str, float] = NO_RATES
) -> str:
    """Return the record as one HTML fragment; everything from outside is escaped.

    Args:
        rates: Bytes per second, by what is observed.
    """
    sign, colour = _sign(record)
    rows = (_row(name, value) for name, value in _facts(record))
    return element(
        "div",
        element("b", f"{sign} {record.step}"),
        " ",
        element("span", _verdict(record)),
        *(_bar(one, rates.get(one.what)) for one in observed if record.state is StepState.INTENDED),
        _targets_bar(record),
        *_plots(record),
        element("table", *rows, style="border:0;margin:2px 0;text-align:left;font-size:90%"),
        style=f"border-left:4px solid {colour};padding:4px 12px;margin:2px 0;line-height:1.5",
    )


def to_text(record: StepRecord, *, with_error: bool = True) -> str:
    """Return the record as plain text, the same for equal records.

    Args:
        with_error: Whether to include the error's text; False for callers that print it anyway.
    """
    sign, _ = _sign(record)
    lines = [f"{sign} {record.step} {_verdict(record)}"]
    for name, value in _facts(record):
        if name == "error" and not with_error:
            continue
        if name == "warnings":
            lines += [f"{_WARNING}{visible(_short(each))}" for each in value]
        else:
            lines.append(f"  {name}:{_indented(visible(_short(value)))}")
    return "\n".join(lines)


def brief_text(text: str) -> str:
    """From a record's plain text, return how the step ended, and its warnings."""
    head, *lines = text.splitlines()
    return "\n".join([head, *(line for line in lines if line.startswith(_WARNING))])


def _indented(text: str) -> str:
    """Put one line next to the name, several lines below it."""
    return "".join(f"\n    {line}" for line in text.splitlines()) if "\n" in text else f" {text}"


def progress_text(observed: Progress, rate: float | None = None) -> str:
    """Return one line with a step's progress, and its rate in bytes per second."""
    text = f"{visible(observed.what)}: {visible(observed.message)}"
    if observed.total:
        text += f" {_amount(observed.done or 0, observed.total, observed.unit)}"
    elif observed.done and observed.unit == "bytes":
        text += f" {_size(observed.done)}"
    if rate is None:
        return text
    left = (observed.total or 0) - (observed.done or 0)
    time_left = f", {left / rate:.0f} s left" if observed.what == TOTAL and rate > 0 else ""
    return f"{text}, {rate_text(rate)}{time_left}"


def progress_json(observed: Sequence[Progress], rates: Mapping[str, float]) -> tuple[Mapping[str, Any], ...]:
    """Return each as a line, with its share from 0 to 1 if the total is known, for a panel's bars."""
    return tuple(
        {
            "text": progress_text(each, rates.get(each.what)),
            "share": min(1.0, (each.done or 0) / each.total) if each.total else None,
        }
        for each in observed
    )


def rate_text(rate: float) -> str:
    """Format bytes per second for people."""
    return f"{_size(round(rate))}/s"


def _sign(record: StepRecord) -> tuple[str, str]:
    if record.outcome.get("planned") and not record.changed:
        return _UNCHANGED
    if record.state is StepState.SUCCEEDED and not record.changed and record.step not in _LOOKING:
        return _UNCHANGED
    return _SIGNS[record.state]


def _verdict(record: StepRecord) -> str:
    if record.ended_at is None:
        return f"started {to_rfc3339(record.started_at)}"
    if record.state is StepState.INTENDED:
        if record.changed:
            return "planned: would change something"
        return "planned: only looks" if record.step in _LOOKING else "planned: nothing to change"
    took = f"in {(record.ended_at - record.started_at).total_seconds():.1f} s"
    if record.state is StepState.SUCCEEDED:
        if record.changed:
            return f"succeeded {took}, changed: true"
        return f"succeeded {took}, changed: false{_why_unchanged(record.step)}"
    if record.state is StepState.UNKNOWN:
        return f"has an unknown outcome after {took[3:]}"
    return f"failed {took}"


def _why_unchanged(step: str) -> str:
    if step in _LOOKING or step == "delete_images":  # which lists what it would delete, until it is confirmed
        return ""
    return ", it was already gone" if step.startswith("delete_") else ", it already existed"


def _facts(record: StepRecord) -> list[tuple[str, Any]]:
    shown: dict[str, Any] = {name: value for name, value in record.inputs.items() if value not in _NOTHING}
    shown |= {
        n: value for n, value in record.outcome.items() if value not in _NOTHING and n not in _ELSEWHERE
    }
    shown |= _counts(record)
    if type(shown.get("targets")) is int:
        # One row, because a fleet's notebook has many waves.
        counts = [(name.replace("_", " "), shown.pop(name, 0)) for name in _OF_TARGETS]
        states = ", ".join(f"{count} {name}" for name, count in counts if count)
        shown["targets"] = f"{shown['targets']}: {states}" if states else shown["targets"]
    if record.error:
        shown["error"] = record.error.get("message", "")
        for name in ("reasons", "log"):
            if record.error.get(name):
                shown[name] = record.error[name]
    return [(_LABELS.get(name, name), value) for name, value in shown.items()]


def _counts(record: StepRecord) -> Mapping[str, Any]:
    """The counts of targets by state from the error of a wave that stopped its fleet."""
    counts = (record.error or {}).get("targets")
    return counts if isinstance(counts, Mapping) else {}


def _plots(record: StepRecord) -> tuple[Markup, ...]:
    """A plot of the rollout that a wait saw."""
    course, deploy = record.outcome.get(_COURSE), record.outcome.get("deploy_id")
    if not course:
        return ()
    seconds, others, ours = zip(*course, strict=True)
    name = f"deploy {deploy}"
    alt = f"Running copies over {seconds[-1]:.0f} s: {name} from {ours[0]} to {ours[-1]}, others from {others[0]} to {others[-1]}"
    layers = (Series("others", others, GREY), Series(name, ours, BLUE))
    wanted = record.outcome.get("desired_count")
    return (element("div", stacked(seconds, layers, wanted=wanted, alt=alt).to_image()),)


def _short(value: Any, *, inner: bool = False) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        text = ("; " if inner else "\n").join(_short(item, inner=True) for item in value)
    elif isinstance(value, dict):
        cells = [
            f"{key}={_short(item, inner=True)}"
            for key, item in value.items()
            if not inner or item not in _NOTHING
        ]
        text = (", " if inner or sum(map(len, cells)) <= _ONE_LINE else "\n").join(cells)
    else:
        text = str(value)
    return cut(text, _MAX_VALUE_LENGTH)


def _row(name: str, value: Any) -> Markup:
    return element(
        "tr",
        element(
            "td",
            name.replace("_", " "),
            style="text-align:left;padding:0 12px 0 0;vertical-align:top;white-space:nowrap",
        ),
        element("td", _value(value), style="text-align:left;padding:0"),
        style="background:none",
    )


def _value(value: Any) -> Markup:
    if isinstance(value, (list, tuple)) and any(map(is_marked, value)):
        return element("div", *map(planned_line, _short(value).split("\n")), style="font-family:monospace")
    shown = escaped(_short(value))
    return element("pre", shown, style="margin:0") if "\n" in shown else element("code", shown)


def _targets_bar(record: StepRecord) -> Markup:
    """A wave's targets by state, as one bar."""
    counts = _counts(record) or record.outcome
    targets = counts.get("targets") if record.step == "run_wave" else None
    if type(targets) is not int or targets < 1:
        return Markup()
    parts = [
        element(
            "span", style=f"display:inline-block;width:{count / targets:.1%};height:8px;background:{colour}"
        )
        for name, colour in _OF_TARGETS.items()
        if colour and type(count := counts.get(name)) is int and 0 < count <= targets
    ]
    return element("div", *parts, style="width:320px;line-height:0;border:1px solid #888")


def _bar(observed: Progress, rate: float | None) -> Markup:
    bar = Markup()
    if observed.total:
        share = min(100, 100 * (observed.done or 0) // observed.total)
        bar = element(
            "span",
            element("span", style=f"display:block;width:{share}%;height:8px;background:#1976d2"),
            style="display:inline-block;width:160px;height:8px;border:1px solid #888;margin-right:8px",
        )
    return element("div", bar, progress_text(observed, rate), style="font-size:90%")


def _amount(done: int, total: int, unit: str) -> str:
    if unit != "bytes":
        return f"{done} of {total} {unit}".rstrip()
    return f"{_size(done)} of {_size(total)}"


def _size(size_bytes: int) -> str:
    size = float(size_bytes)
    for name in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {name}" if name == "B" else f"{size:.1f} {name}"
        size /= 1000
    return f"{size:.2f} GB"
