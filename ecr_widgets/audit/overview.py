"""The runs of a folder as pictures: four figures with their course, and a grid of days by service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import accumulate
from statistics import median
from typing import NamedTuple

from ecr_widgets.audit.figures import Names, histories
from ecr_widgets.audit.judging import Verdict
from ecr_widgets.audit.row import Row
from ecr_widgets.audit.verdict_signs import colour_of
from ecr_widgets.model.drawing import Drawing, Figure, letters, shape, tiles
from ecr_widgets.model.markup import Markup
from ecr_widgets.model.text import shortened
from ecr_widgets.model.times import from_rfc3339
from ecr_widgets.saved_runs.outcome import COLOURS, Outcome

DAYS = 30
_MOST_LANES = 12
_NO_SERVICE = "(no service)"
_TAMPERED = Verdict.TAMPERED.value
_LEFT, _TOP, _STEP, _LANE, _OTHER_NAME = 150, 20, 19, 18, 12
_WORST_FIRST: tuple[str, ...] = (
    _TAMPERED, Outcome.LEFT_DOWN, Outcome.FAILED, Outcome.ROLLED_BACK, Outcome.UNKNOWN, Outcome.KILLED, Outcome.INTERRUPTED,
    Outcome.RUNNING, Outcome.SUCCEEDED, Outcome.REFUSED, Outcome.PLANNED,
)  # fmt: skip
"""If a service had several runs on a day, the first of these outcomes is shown."""
_BOX = "h12v12h-12z"
_CROSS = "M{0} {1}l2-2 4 4 4-4 2 2-4 4 4 4-2 2-4-4-4 4-2-2 4-4z"
_SHAPES: Mapping[str, str] = {
    _TAMPERED: "M{0} {1}m6 0l6 12h-12zm-1 4v4h2v-4zm0 5v2h2v-2z",
    Outcome.SUCCEEDED: "M{0} {1}" + _BOX,
    Outcome.LEFT_DOWN: "M{0} {1}" + _BOX + "m2.5 0l3.5 3.5 3.5-3.5 2.5 2.5-3.5 3.5 3.5 3.5-2.5 2.5-3.5-3.5-3.5 3.5-2.5-2.5 3.5-3.5-3.5-3.5z",
    Outcome.FAILED: _CROSS,
    Outcome.ROLLED_BACK: "M{0} {1}" + _BOX + "m2 2h8v8h-8zm2 2h4v4h-4z",
    Outcome.INTERRUPTED: "M{0} {1}" + _BOX + "m6 1h5v10h-5z",
    Outcome.KILLED: "M{0} {1}" + _BOX + "m6 1h5v10h-5z",
    Outcome.UNKNOWN: "M{0} {1}m0 4h12v4h-12z",
    Outcome.RUNNING: "M{0} {1}l12 6-12 6z",
    Outcome.REFUSED: "M{0} {1}m4 4h4v4h-4z",
    Outcome.PLANNED: "M{0} {1}" + _BOX + "m1 1h10v10h-10z",
}  # fmt: skip
_COLOURS = {_TAMPERED: colour_of(_TAMPERED)} | {each.value: colour for each, colour in COLOURS.items()}
"""The outcomes also differ in shape, within 12 × 12 pixels."""


def lanes_of(row: Row) -> tuple[str, ...]:
    """Return the services that a run is about, even if it was refused before a record named one."""
    return row.services or ((row.target,) if "/" in row.target and ", " not in row.target else (_NO_SERVICE,))


def grid(rows: Iterable[Row], other_names: Names | None = None) -> Drawing | None:
    """Draw a column per day and a lane per service, with the worst outcome of each day's runs; None if no run has a start.

    It shows the newest 30 days and the services that were touched last, and says what is left out.

    Args:
        rows: Rows with one name per service, from `one_history`.

        other_names: The other names of services, shown under the first one.
    """
    also = other_names or {}
    runs = [
        (from_rfc3339(row.started_at), row)
        for row in rows
        if row.started_at is not None and row.outcome is not None
    ]
    if not runs:
        return None
    last = max(moment for moment, _ in runs).date()
    first = max(min(moment for moment, _ in runs).date(), last - timedelta(days=DAYS - 1))
    shown = [(moment, row) for moment, row in runs if moment.date() >= first]
    touched = dict.fromkeys(
        name for _, row in sorted(shown, key=_start, reverse=True) for name in lanes_of(row)
    )
    names = sorted(tuple(touched)[:_MOST_LANES], key=lambda name: (name == _NO_SERVICE, name))
    cells = _cells(shown, names)
    days = max((last - first).days + 1, 7)
    width = _LEFT + _STEP * days + 10
    tops = [*accumulate((_LANE + _OTHER_NAME * len(also.get(name, ())) for name in names), initial=_TOP)]
    bottom = tops.pop()
    lanes = {name: _Lane(top, also.get(name, ())) for name, top in zip(names, tops, strict=True)}
    shapes = [*_axis(last, days), *_marks(cells, lanes, last - timedelta(days=days - 1))]
    seen = [each for each in _WORST_FIRST if any(worst == each for worst, _ in cells.values())]
    shapes += _legend(seen, bottom + 8)
    left_out = [
        *([f"{len(runs) - len(shown)} older runs"] if len(runs) > len(shown) else []),
        *([f"{len(touched) - len(names)} more services"] if len(touched) > len(names) else []),
    ]
    height = bottom + 28
    if left_out:
        height += 16
        shapes.append(letters(4, height - 6, f"not shown: {', '.join(left_out)}", size=11))
    alt = f"Days by service and the worst of their runs, {first} to {last}: {'; '.join(_in_words(cells, lanes))}"
    return Drawing(max(width, 560), height, alt, tuple(shapes))


def _start(run: tuple[datetime, Row]) -> datetime:
    return run[0]


_Cells = Mapping[tuple[str, date], tuple[str, int]]


def _cells(runs: Iterable[tuple[datetime, Row]], names: Sequence[str]) -> _Cells:
    """The worst outcome and the number of runs, by service and day."""
    cells: dict[tuple[str, date], tuple[str, int]] = {}
    for moment, row in runs:
        for name in lanes_of(row):
            if name in names:
                key, outcome = (name, moment.date()), _outcome(row)
                worst, count = cells.get(key, (outcome, 0))
                cells[key] = min(worst, outcome, key=_WORST_FIRST.index), count + 1
    return cells


def _outcome(row: Row) -> str:
    """Return a run's outcome; for a tampered run only that, because its own outcome cannot be trusted."""
    return _TAMPERED if row.verdict == _TAMPERED else row.outcome or ""


def _axis(last: date, days: int) -> Iterator[Markup]:
    for day in range(days):
        shown = last - timedelta(days=days - 1 - day)
        x = _LEFT + _STEP * day + 6
        if day == 0 or shown.day == 1:
            yield letters(x, 12, f"{shown:%b} {shown.day}", anchor="middle" if day else "start", size=11)
        elif (days - 1 - day) % 2 == 0 and shown.day > 2 and day > 2:
            yield letters(x, 12, str(shown.day), anchor="middle", size=11)


class _Lane(NamedTuple):
    top: int
    other_names: tuple[str, ...]


def _marks(cells: _Cells, lanes: Mapping[str, _Lane], first: date) -> Iterator[Markup]:
    outlines: dict[str, str] = {}
    for name, lane in lanes.items():
        yield letters(4, lane.top + 12, shortened(name, 22))
        for at, other in enumerate(lane.other_names, 1):
            yield letters(4, lane.top + 12 + _OTHER_NAME * at, f"= {shortened(other, 24)}", size=10)
    for (name, day), (worst, count) in cells.items():
        x, y = _LEFT + _STEP * (day - first).days, lanes[name].top
        outlines[worst] = outlines.get(worst, "") + _outline(worst, x, y)
        if count > 1:
            yield letters(x + 13, y + 13, str(count), size=8)
    for worst, outline in outlines.items():
        yield shape(outline, _COLOURS[worst])


def _outline(outcome: str, x: int, y: int) -> str:
    return _SHAPES[outcome].format(x, y + (2 if outcome == Outcome.FAILED else 0))


def _legend(seen: Sequence[str], top: int) -> Iterator[Markup]:
    x = 4
    for each in seen:
        yield shape(_outline(each, x, top), _COLOURS[each])
        yield letters(x + 17, top + 11, each, size=11)
        x += 30 + 7 * len(each)


def _in_words(cells: _Cells, lanes: Mapping[str, _Lane]) -> Iterator[str]:
    for name, lane in lanes.items():
        days = Counter(worst for (service, _), (worst, _) in cells.items() if service == name)
        yield f"{' = '.join((name, *lane.other_names))} {', '.join(f'{days[each]} {each}' for each in _WORST_FIRST if each in days)}"


def four_figures(rows: Iterable[Row]) -> Drawing | None:
    """Draw deploys per week, change failure rate, time to restore and lead time of the newest 30 days; None without a deploy."""
    services = histories(rows)
    changes = [change for history in services for change in history.changes]
    if not changes:
        return None
    restored = [each for history in services for each in history.recovered]
    leads = [each for history in services for each in history.leads]
    last = max(change.moment for change in changes).date()
    begin = last - timedelta(days=DAYS - 1)
    changes = [change for change in changes if change.moment.date() >= begin]
    days = max(7, (last - min(change.moment for change in changes).date()).days + 1)
    failed = [(change.moment, 1.0) for change in changes if change.failed]
    rate = len(failed) / len(changes)
    figures = (
        Figure(
            f"{7 * len(changes) / days:.1f}",
            "deploys a week",
            _course([(change.moment, 1.0) for change in changes], begin, sum),
        ),
        Figure(f"{rate:.0%}", f"failed, {len(failed)} of {len(changes)}", _course(failed, begin, sum)),
        Figure(_typical(restored, begin), "time to restore", _course(restored, begin, median)),
        Figure(_typical(leads, begin), "from push to verified", _course(leads, begin, median)),
    )
    alt = "; ".join(f"{figure.label}: {figure.value}" for figure in figures)
    return tiles(figures, alt=f"{alt}; each day of {begin} to {last}")


def _course(taken: Sequence[tuple[datetime, float]], begin: date, fold: object) -> tuple[float | None, ...]:
    assert callable(fold)
    days: dict[int, list[float]] = {}
    for moment, value in taken:
        days.setdefault((moment.date() - begin).days, []).append(value)
    return tuple(float(fold(days[day])) if day in days else None for day in range(DAYS))


def _typical(taken: Sequence[tuple[datetime, float]], begin: date) -> str:
    shown = [value for moment, value in taken if moment.date() >= begin]
    return duration(median(shown)) if shown else "–"


def duration(seconds: float) -> str:
    """Format seconds for people, in the unit that fits."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"


class Current(NamedTuple):
    """What a service currently runs, according to its newest runs."""

    service: str
    what: str
    how: str
    since: str
    actor: str
    row: Row


def runs_now(rows: Sequence[Row]) -> tuple[Current, ...]:
    """Return one entry per service that any run deployed to or verified, sorted by name.

    Args:
        rows: Newest first.
    """
    named = {digest: row.image for row in rows if ":" in row.image for digest in row.digests}
    current: dict[str, Current] = {}
    back: set[str] = set()
    for row in rows:
        for service in dict.fromkeys((*row.deployed, *row.verified, *row.down, *row.rolled_back)):
            image = next((named[digest] for digest in row.digests if digest in named), row.image)
            since, who = row.ended_at or row.started_at or "", row.actor or ""
            if service in back:
                # A rollback went back to what the last good run left.
                if row.outcome == Outcome.SUCCEEDED.value:
                    back.discard(service)
                    current[service] = current[service]._replace(what=image)
            elif service not in current:
                how = _how(row, service)
                if how:
                    current[service] = Current(service, image, how, since, who, row)
                    if service in row.rolled_back:
                        back.add(service)
                        current[service] = current[service]._replace(what="what it ran before")
    return tuple(current[name] for name in sorted(current))


def _how(row: Row, service: str) -> str:
    if row.verdict == _TAMPERED:
        return "⚠ tampered"
    if service in row.down:
        return "✗ left down"
    if service in row.rolled_back:
        return "↩ rolled back"
    if row.outcome == Outcome.REFUSED.value:
        return ""
    if service in row.verified:
        return "● verified"
    return "◐ unverified" if service in row.deployed else ""
