"""Overview of a folder's runs: four figures, a grid of days by service, and what runs now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from msgspec.structs import replace

from ecr_widgets.audit.overview import duration, four_figures, grid, runs_now
from ecr_widgets.audit.row import Row
from ecr_widgets.audit.verdict_signs import look_of
from ecr_widgets.model.drawing import Drawing
from ecr_widgets.model.times import to_rfc3339
from ecr_widgets.saved_runs.outcome import Outcome

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)

_NUMBERS = count()


def row(days_ago: float, service: str, outcome: Outcome = Outcome.SUCCEEDED, **more: Any) -> Row:
    at = to_rfc3339(NOW - timedelta(days=days_ago))
    state = "succeeded" if outcome is Outcome.SUCCEEDED else "failed"
    told = {"services": (service,), "actor": "ann", "state": state, "started_at": at, "ended_at": at} | more
    return Row(
        "p", "proven", "", f"r{next(_NUMBERS)}", outcome=outcome.value, outcome_words=outcome.value, **told
    )


def told(drawing: Drawing | None) -> str:
    assert drawing is not None
    return drawing.alt


def test_a_cell_shows_the_worst_of_a_day_and_how_many_runs_there_were() -> None:
    """A grid cell shows the day's worst outcome and the number of runs, in the drawing and in the text."""
    drawing = grid(
        [row(1, "demo/web"), row(1, "demo/web", Outcome.FAILED), row(2, "demo/api", Outcome.REFUSED)]
    )
    assert "demo/api 1 refused; demo/web 1 failed" in told(drawing)
    assert drawing is not None
    assert ">2</text>" in "".join(drawing.shapes)


def test_a_refused_run_is_in_the_lane_of_what_it_was_meant_for() -> None:
    """A refused run is in its target's lane, although no record names the service; without a target it has a lane of its own."""
    refused = row(0, "x", Outcome.REFUSED, services=(), target="demo/web")
    assert "demo/web 1 refused" in told(grid([refused]))
    assert "(no service)" in told(grid([row(0, "x", services=(), target="")]))


def test_what_is_left_out_of_the_grid_is_said() -> None:
    """The grid says how many older runs and further services it leaves out; without runs there is no grid."""
    rows = [row(number / 10, f"demo/{number:02}") for number in range(15)] + [row(40, "demo/00")]
    drawing = grid(rows)
    assert drawing is not None
    assert "not shown: 1 older runs, 3 more services" in "".join(drawing.shapes)
    assert "demo/14" not in drawing.alt
    assert grid([]) is None


def test_each_outcome_has_a_shape() -> None:
    """Each outcome has its own shape, except that two share one."""
    from ecr_widgets.audit.overview import _SHAPES

    assert set(_SHAPES) == {*Outcome, "tampered"}
    assert len(set(_SHAPES.values())) == len(Outcome)


def test_what_was_changed_since_it_was_sealed_is_shown_as_that_alone() -> None:
    """A tampered run is shown only as tampered, because nothing it says can be trusted."""
    changed = replace(row(0, "demo/web", verified=("demo/web",)), verdict="tampered")
    assert "demo/web 1 tampered" in told(grid([changed, row(0, "demo/web", Outcome.FAILED)]))
    assert [each.how for each in runs_now([changed])] == ["⚠ tampered"]
    assert look_of(changed)[:2] == ("⚠", "tampered")


def test_the_four_figures_are_of_the_newest_month() -> None:
    """The four figures cover the 30 days up to the newest run; one without data is a dash, and without deploys there are none."""
    deployed = {"deployed": ("demo/web",)}
    rows = [
        *(row(day, "demo/web", **deployed) for day in range(14)),
        row(0.1, "demo/web", Outcome.ROLLED_BACK, rolled_back=("demo/web",), restored_s=540.0, **deployed),
        row(400, "demo/web", **deployed),
    ]
    words = told(four_figures(rows))
    assert words.startswith(
        "deploys a week: 7.5; failed, 1 of 15: 7%; time to restore: 9 min; from push to verified: –"
    )
    assert four_figures([row(0, "demo/web")]) is None


def test_what_runs_now_is_what_the_newest_run_left() -> None:
    """What runs now comes from the newest run that was not refused; after a rollback it is the last good deploy."""
    good = {"deployed": ("demo/web",), "verified": ("demo/web",)}
    rows = [
        row(0, "demo/web", Outcome.REFUSED, deployed=("demo/web",), image="web:4"),
        row(
            1,
            "demo/web",
            Outcome.ROLLED_BACK,
            rolled_back=("demo/web",),
            deployed=("demo/web",),
            image="web:3",
        ),
        row(2, "demo/web", image="web:2", **good),
        row(3, "demo/api", Outcome.LEFT_DOWN, down=("demo/api",), deployed=("demo/api",), image="api:1"),
        row(4, "demo/web", image="web:1", **good),
    ]
    found = {each.service: each for each in runs_now(rows)}
    assert (found["demo/web"].what, found["demo/web"].how) == ("web:2", "↩ rolled back")
    assert (found["demo/api"].what, found["demo/api"].how) == ("api:1", "✗ left down")


def test_durations_are_told_in_the_unit_that_fits() -> None:
    """Durations are shown in the unit that fits, such as seconds, minutes, hours or days."""
    assert [duration(each) for each in (2.64, 540, 7200, 86_400 * 3)] == ["2.6 s", "9 min", "2 h", "3 d"]
