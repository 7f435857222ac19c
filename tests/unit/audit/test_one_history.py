"""A service with several names has one lane and one line."""

from __future__ import annotations

from msgspec.structs import replace

from ecr_widgets.audit.figures import figures
from ecr_widgets.audit.one_history import one_history
from ecr_widgets.audit.overview import grid, runs_now
from ecr_widgets.saved_runs.outcome import Outcome
from tests.unit.audit.test_overview import row, told

NAMES = ("demo/shop", "ecs:demo/shop")


def test_an_outage_before_the_move_ends_with_a_deploy_after_it() -> None:
    """Figures follow a service to its new name, so a deploy there ends an outage, and show both names."""
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
    """A lane shows both names of a service, in the drawing and in the text, and takes less height than two lanes."""
    rows = [row(0, name) for name in (*NAMES, "zoo/last")]
    drawing, apart = grid(*one_history(rows, [NAMES])), grid(rows)
    assert drawing is not None
    assert apart is not None
    assert "ecs:demo/shop = demo/shop 1 succeeded; zoo/last 1 succeeded" in told(drawing)
    assert any(">= demo/shop</text>" in each for each in drawing.shapes)
    assert drawing.height < apart.height


def test_the_name_that_is_shown_is_the_one_worked_on_last() -> None:
    """A service is shown by the name used last, even if that is the old one; without runs, by its ECS name."""
    back = [
        row(0, "demo/shop", deployed=("demo/shop",)),
        row(1, "ecs:demo/shop", deployed=("ecs:demo/shop",)),
    ]
    assert one_history(back, [NAMES]).other_names == {"demo/shop": ("ecs:demo/shop",)}
    assert one_history([], [NAMES]).other_names == {"ecs:demo/shop": ("demo/shop",)}


def test_what_was_adopted_twice_is_one_service() -> None:
    """A service adopted first in place and then beside it is one service with three names."""
    in_place = ("demo/shop", "ecs:l0-demo/l0-shop")
    assert one_history([], [in_place, ("a", "b"), NAMES]).other_names == {
        "b": ("a",),
        "ecs:l0-demo/l0-shop": ("demo/shop", "ecs:demo/shop"),
    }


def test_a_refused_run_joins_the_lane_of_what_it_was_meant_for() -> None:
    """A refused run is in its target's lane under the current name, although no record names the service."""
    refused = row(0, "x", Outcome.REFUSED, services=(), target="demo/shop")
    assert one_history([refused], [NAMES]).rows[0].target == "ecs:demo/shop"


def test_a_copy_of_a_run_counts_once() -> None:
    """A notebook that was duplicated, whole or while its run went on, adds nothing: the sealed one stands for the run."""
    own = replace(
        row(0, "demo/shop", deployed=("demo/shop",)), run_id="run-1", seal="intact", path="run-1.ipynb"
    )
    whole = replace(own, seal="unsealed", path="run-1-Copy1.ipynb")
    half = replace(whole, state="running", seal=None, path="run-1-Copy2.ipynb")
    other = replace(own, run_id="run-2", path="run-2.ipynb")
    for rows in ([whole, half, own, other], [own, other, half, whole]):
        by_service = one_history(rows, [])
        assert {each.path for each in by_service.rows} == {"run-1.ipynb", "run-2.ipynb"}
        assert [each.deploys for each in figures(*by_service)] == [2]
    assert one_history([half, whole], []).rows == [whole]


def test_a_tampered_notebook_takes_no_other_runs_place() -> None:
    """A sealed notebook that was given another run's id does not hide that run, wherever it stands in the list."""
    own = replace(
        row(0, "demo/shop", deployed=("demo/shop",)), run_id="run-1", seal="intact", path="run-1.ipynb"
    )
    forged = replace(own, seal="changed", verdict="tampered", path="run-2.ipynb")
    for rows in ([forged, own], [own, forged]):
        assert one_history(rows, []).rows == [own]
