"""The timeline: what is left out is said, and few old runs do not press the others into a dot."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from ecr_widgets.audit.row import Row
from ecr_widgets.audit.timeline import to_svg
from ecr_widgets.model.times import to_rfc3339

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def row(hours_ago: float, service: str, *, took_s: float = 60.0) -> Row:
    started = to_rfc3339(NOW - timedelta(hours=hours_ago))
    return Row("p", "proven", "", "r", started_at=started, duration_s=took_s, services=(service,))


def marks(svg: str) -> list[float]:
    """Where marks stand, left to right."""
    return sorted(
        float(x) for x in re.findall(r'<text x="([\d.]+)" y="[\d.]+" text-anchor="middle" fill="#2', svg)
    )


def test_services_beyond_those_that_fit_are_the_oldest_and_are_counted() -> None:
    """41 services: the one that was touched last is shown, the one that was touched first is not, and that is said."""
    svg = to_svg([row(hours, f"svc-{99 - hours}") for hours in range(41)])
    assert "svc-99<" in svg
    assert "svc-59<" not in svg
    assert "1 more services, whose last runs are older, are not shown" in svg


def test_runs_beyond_those_that_fit_are_counted() -> None:
    """The 3,000 newest are marked."""
    svg = to_svg([row(hours / 10, "a") for hours in range(3_002)])
    assert len(marks(svg)) == 3_000
    assert "2 older runs are not shown" in svg


def test_one_old_run_does_not_press_the_others_into_a_dot() -> None:
    """It stands left of an axis that the others fill."""
    found = to_svg([*(row(hours, "a") for hours in range(10)), row(24 * 900, "a")])
    first, *others = marks(found)
    assert first < others[0]
    assert others[-1] - others[0] > 600
    assert "1 older runs, from long before the others, stand left of the axis" in found


def test_a_run_has_a_line_as_long_as_it_took() -> None:
    """Half of the time shown is half of the axis; none is longer than the axis."""
    svg = to_svg([row(0, "a", took_s=10**9), row(10, "a", took_s=5 * 3600)])
    lines = re.findall(r'<line x1="([\d.]+)" y1="[\d.]+" x2="([\d.]+)" y2="[\d.]+" stroke="#2', svg)
    assert [(round(float(end) - float(start))) for start, end in lines] == [365]


def test_the_ticks_are_inside_the_picture() -> None:
    """The first label begins at its line and the last ends there."""
    anchors = re.findall(r'text-anchor="(\w+)" fill="#555"', to_svg([row(1, "a"), row(9, "a")]))
    assert anchors == ["start", "middle", "middle", "middle", "end"]
