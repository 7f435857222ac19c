"""Runs over time by service, as one SVG picture that needs no script and fetches nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from itertools import pairwise
from typing import NamedTuple

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
_WIDTH, _LEFT, _RIGHT, _LANE, _TOP, _NOTE = 960, 210, 940, 24, 28, 18
_MAX_LANES, _MAX_MARKS = 40, 3000
_FAR = 0.6
"""A gap of that much of the whole time parts a few old runs from the others."""
_NO_SERVICE = "(no service)"


def sign_of(verdict: str) -> str:
    """The verdict's sign."""
    return _SHAPES.get(Verdict(verdict), "?")


def colour_of(verdict: str) -> str:
    """The verdict's colour, readable on white."""
    return COLOURS[Verdict(verdict)]


def to_svg(rows: Sequence[Row]) -> str:
    """A lane a service (runs without one share the last), a mark a run with a line as long as it took.

    The newest runs and the services that they are about are shown; what is left out is said below.
    """
    timed = [(from_rfc3339(row.started_at), row) for row in rows if row.started_at]
    shown = timed[:_MAX_MARKS]
    if not shown:
        return ""
    # By their newest run, so that what is left out has not been touched for longest.
    services = tuple(dict.fromkeys(service for _, row in shown for service in row.services))
    lanes = sorted(services[:_MAX_LANES])
    if any(not row.services for _, row in shown):
        lanes.append(_NO_SERVICE)
    axis = _Axis.of([moment for moment, _ in shown])
    notes = _notes(len(timed) - len(shown), len(services) - _MAX_LANES, axis.before)
    lanes_end = _TOP + _LANE * len(lanes) + 8
    height = lanes_end + _NOTE * len(notes)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
            'role="img" aria-label="Timeline of runs by service" font-family="sans-serif" font-size="12">'
        ),
        *axis.ticks(lanes_end),
    ]
    for number, lane in enumerate(lanes):
        y = _TOP + _LANE * number + _LANE / 2
        parts.append(f'<text x="4" y="{y + 4:.1f}">{escape(visible(lane)[:28])}</text>')
        parts += [
            _mark(axis, moment, row, y) for moment, row in shown if lane in (row.services or (_NO_SERVICE,))
        ]
    parts += [
        f'<text x="4" y="{lanes_end + _NOTE * (number + 0.7):.1f}" fill="#555">{note}</text>'
        for number, note in enumerate(notes)
    ]
    return "".join(parts) + "</svg>"


class _Axis(NamedTuple):
    """Time from left to right."""

    first: datetime
    span_s: float
    before: int
    """Runs from before the first moment: they stand left of it."""

    @classmethod
    def of(cls, moments: Sequence[datetime]) -> _Axis:
        """Over all of them; but a few that lie far before all others must not press these into a dot."""
        ordered = sorted(moments)
        span_s = (ordered[-1] - ordered[0]).total_seconds()
        gaps_s = [(later - earlier).total_seconds() for earlier, later in pairwise(ordered)]
        longest_s = max(gaps_s, default=0.0)
        before = gaps_s.index(longest_s) + 1 if longest_s > _FAR * span_s else 0
        if not 0 < before < len(ordered) / 2:
            before = 0
        return cls(ordered[before], max((ordered[-1] - ordered[before]).total_seconds(), 1.0), before)

    def x(self, moment: datetime, *, later_s: float = 0.0) -> float:
        """Where a moment is, or so many seconds later, the end of the axis at most."""
        passed_s = (moment - self.first).total_seconds() + later_s
        return _LEFT + (_RIGHT - _LEFT) * min(passed_s / self.span_s, 1.0)

    def ticks(self, bottom: float) -> Iterator[str]:
        """Five lines with their times, the outer ones inside the picture."""
        for tick in range(5):
            x = _LEFT + (_RIGHT - _LEFT) * tick / 4
            moment = datetime.fromtimestamp(self.first.timestamp() + self.span_s * tick / 4, UTC)
            anchor = {0: "start", 4: "end"}.get(tick, "middle")
            yield (
                f'<line x1="{x:.1f}" y1="{_TOP - 8}" x2="{x:.1f}" y2="{bottom - 8:.1f}" stroke="#ddd"/>'
                f'<text x="{x:.1f}" y="14" text-anchor="{anchor}" fill="#555">{moment:%Y-%m-%d %H:%M}</text>'
            )


def _mark(axis: _Axis, moment: datetime, row: Row, y: float) -> str:
    colour = colour_of(row.verdict)
    x = axis.x(moment) if moment >= axis.first else _LEFT - 12
    took_s = row.duration_s or 0.0
    end = axis.x(moment, later_s=took_s) if moment >= axis.first else x
    line = f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{end:.1f}" y2="{y:.1f}" stroke="{colour}" stroke-width="3"/>'
    told = f"{row.verdict} {row.run_id} {took_s:.1f} s {row.why}"
    return (
        f"<g><title>{escape(visible(told)[:300])}</title>{line if end > x else ''}"
        f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" fill="{colour}">{sign_of(row.verdict)}</text></g>'
    )


def _notes(runs: int, services: int, before: int) -> list[str]:
    notes = [f"{before} older runs, from long before the others, stand left of the axis"] if before else []
    if services > 0:
        notes.append(f"{services} more services, whose last runs are older, are not shown")
    if runs > 0:
        notes.append(f"{runs} older runs are not shown")
    return notes
