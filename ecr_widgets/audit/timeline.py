"""Runs over time by service, as one SVG picture that needs no script and fetches nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from ecr_widgets.audit.judging import Verdict
from ecr_widgets.audit.row import Row
from ecr_widgets.model.text import visible
from ecr_widgets.model.times import from_rfc3339

COLOURS = {
    Verdict.PROVEN: "#2e7d32",
    Verdict.UNPROVEN: "#8a6d00",
    Verdict.PLAN: "#546e7a",
    Verdict.FAILED: "#c62828",
    Verdict.INTERRUPTED: "#ad5a00",
    Verdict.RUNNING: "#1976d2",
    Verdict.TAMPERED: "#7b1fa2",
    Verdict.FOREIGN: "#607d8b",
    Verdict.UNREADABLE: "#37474f",
}
_SHAPES = {
    Verdict.PROVEN: "●",
    Verdict.PLAN: "☐",
    Verdict.FAILED: "✗",
    Verdict.TAMPERED: "⚠",
    Verdict.INTERRUPTED: "◐",
    Verdict.RUNNING: "▶",
}
"""Beside the colour, for people who do not tell colours apart and for black and white."""
_WIDTH, _LEFT, _LANE, _TOP = 960, 200, 24, 28
_MAX_LANES, _MAX_MARKS = 40, 3000


def sign_of(verdict: str) -> str:
    """The verdict's sign."""
    return _SHAPES.get(Verdict(verdict), "?")


def colour_of(verdict: str) -> str:
    """The verdict's colour, readable on white."""
    return COLOURS[Verdict(verdict)]


def to_svg(rows: Sequence[Row]) -> str:
    """A lane a service (runs without one share the last), a mark a run; the newest runs where there are too many."""
    placed = [
        (from_rfc3339(row.started_at), lane, row)
        for row in rows[:_MAX_MARKS]
        if row.started_at
        for lane in (row.services or ("(no service)",))
    ]
    if not placed:
        return ""
    lanes = sorted({lane for _, lane, _ in placed}, key=lambda lane: (lane == "(no service)", lane))[
        :_MAX_LANES
    ]
    first, last = min(p[0] for p in placed), max(p[0] for p in placed)
    span_s = max((last - first).total_seconds(), 1.0)
    height = _TOP + _LANE * len(lanes) + 8
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        'role="img" aria-label="Timeline of runs by service" font-family="sans-serif" font-size="12">'
    )
    parts = [opening]
    for tick in range(5):
        x = _LEFT + (_WIDTH - _LEFT - 20) * tick / 4
        moment = datetime.fromtimestamp(first.timestamp() + span_s * tick / 4, UTC)
        parts.append(
            f'<line x1="{x:.1f}" y1="{_TOP - 8}" x2="{x:.1f}" y2="{height - 8}" stroke="#ddd"/>'
            f'<text x="{x:.1f}" y="14" text-anchor="middle" fill="#555">{moment:%Y-%m-%d %H:%M}</text>'
        )
    for number, lane in enumerate(lanes):
        y = _TOP + _LANE * number + _LANE / 2
        parts.append(f'<text x="4" y="{y + 4:.1f}">{escape(visible(lane)[:28])}</text>')
    for moment, lane, row in placed:
        if lane in lanes:
            x = _LEFT + (_WIDTH - _LEFT - 20) * (moment - first).total_seconds() / span_s
            y = _TOP + _LANE * lanes.index(lane) + _LANE / 2
            parts.append(
                f"<g><title>{escape(visible(f'{row.verdict} {row.run_id} {row.why}')[:300])}</title>"
                f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" fill="{colour_of(row.verdict)}">'
                f"{sign_of(row.verdict)}</text></g>"
            )
    return "".join(parts) + "</svg>"
