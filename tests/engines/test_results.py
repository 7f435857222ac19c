"""What trials of some engines leave of the others' results."""

from __future__ import annotations

from dataclasses import asdict, replace

from tests.engines.__main__ import Row, joined
from tests.engines.daemons import KINDS


def test_a_trial_of_one_engine_keeps_the_rows_of_the_others() -> None:
    """Its own are replaced, those of an engine that is not tried any more go, and the order is the table's."""
    first, second, third = KINDS[:3]
    rows = [
        Row(kind.name, kind.store.value, "step", ok=True, refused=None, note="", version="1", commit="before")
        for kind in (third, second, first)
    ]
    gone = asdict(replace(rows[0], engine="Docker 1.0"))
    earlier = {
        "rows": [*map(asdict, rows), gone],
        "not_tried": [f"{second.name}, {second.store.value}: no mirror"],
    }
    now = joined(earlier, [second], [replace(rows[1], commit="now")], [])
    assert [(row["engine"], row["store"], row["commit"]) for row in now["rows"]] == [
        (first.name, first.store.value, "before"),
        (second.name, second.store.value, "now"),
        (third.name, third.store.value, "before"),
    ]
    assert now["not_tried"] == []
