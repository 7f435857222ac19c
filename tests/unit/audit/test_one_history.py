"""Services with several names: one lane and one line for all of them."""

from __future__ import annotations

from ecr_widgets.audit.figures import figures
from ecr_widgets.audit.one_history import one_history
from ecr_widgets.audit.overview import grid, runs_now
from ecr_widgets.saved_runs.outcome import Outcome
from tests.unit.audit.test_overview import row, told

NAMES = ("demo/shop", "ecs:demo/shop")


def test_an_outage_before_the_move_ends_with_a_deploy_after_it() -> None:
    """Figures follow the service from one name to the other, and show both."""
    rows = [
        row(0, "ecs:demo/shop", deployed=("ecs:demo/shop",), image="shop:2"),
        row(1, "demo/shop", Outcome.FAILED, deployed=("demo/shop",), image="shop:1"),
        row(2, "demo/other", deployed=("demo/other",)),
    ]
    by_service = one_history(rows, [NAMES])
    other, shop = figures(*by_service)
    assert (other.names, shop.names) == ("demo/other", "ecs:demo/shop = demo/shop")
    assert (shop.deploys, shop.failed, shop.recoveries, shop.down_since) == (2, 1, 1, None)
    assert [(each.service, each.what) for each in runs_now(by_service.rows)][1:] == [
        ("ecs:demo/shop", "shop:2")
    ]
    assert len(figures(rows)) == 3


def test_a_lane_shows_both_names_and_keeps_the_lanes_below_clear() -> None:
    """In words as well as in letters."""
    rows = [row(0, name) for name in (*NAMES, "zoo/last")]
    drawing, apart = grid(*one_history(rows, [NAMES])), grid(rows)
    assert drawing is not None
    assert apart is not None
    assert "ecs:demo/shop = demo/shop 1 succeeded; zoo/last 1 succeeded" in told(drawing)
    assert any(">= demo/shop</text>" in each for each in drawing.shapes)
    assert drawing.height < apart.height


def test_the_name_that_is_shown_is_the_one_worked_on_last() -> None:
    """Also where that is the old one again; where nobody worked on it, the one on ECS."""
    back = [
        row(0, "demo/shop", deployed=("demo/shop",)),
        row(1, "ecs:demo/shop", deployed=("ecs:demo/shop",)),
    ]
    assert one_history(back, [NAMES]).other_names == {"demo/shop": ("ecs:demo/shop",)}
    assert one_history([], [NAMES]).other_names == {"ecs:demo/shop": ("demo/shop",)}


def test_what_was_adopted_twice_is_one_service() -> None:
    """In place first, then beside it."""
    in_place = ("demo/shop", "ecs:l0-demo/l0-shop")
    assert one_history([], [in_place, ("a", "b"), NAMES]).other_names == {
        "b": ("a",),
        "ecs:l0-demo/l0-shop": ("demo/shop", "ecs:demo/shop"),
    }


def test_a_refused_run_joins_the_lane_of_what_it_was_meant_for() -> None:
    """Though no record named the service."""
    refused = row(0, "x", Outcome.REFUSED, services=(), target="demo/shop")
    assert one_history([refused], [NAMES]).rows[0].target == "ecs:demo/shop"
