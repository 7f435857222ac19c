"""Which name was meant."""

from __future__ import annotations

from ecr_widgets.model.nearest import did_you_mean

TAGS = ["2026.11.9", "2026.11.7", "2026.11.8", "2026.11.6", "stable"]


def test_the_nearest_three_are_named() -> None:
    """At most three suggestions are made, without repetition."""
    hint = did_you_mean("2026.11.10", [*TAGS, *TAGS], "look")
    assert hint.count(" or ") == 2
    assert did_you_mean("wbe", ["web", "worker"], "look") == "did you mean 'web'?"


def test_where_nothing_is_near_another_hint_is_given() -> None:
    """Without a near name, the other hint is given."""
    assert did_you_mean("nothing", TAGS, "list them") == "list them"
