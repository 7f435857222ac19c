"""Sizes and ages for people."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ecr_widgets.model.amounts import age, ago, size


@pytest.mark.parametrize(
    ("passed", "told"),
    [
        (timedelta(seconds=59), "now"),
        (timedelta(seconds=90), "1 min"),
        (timedelta(minutes=17), "17 min"),
        (timedelta(hours=23), "23 h"),
        (timedelta(days=3, hours=9), "3 d"),
        (timedelta(seconds=-5), "now"),
    ],
)
def test_an_age_is_in_the_largest_unit_that_fits(passed: timedelta, told: str) -> None:
    """An age is in the largest unit that fits; less than a minute, or a time in the future, is now."""
    assert age(passed) == told
    assert ago(passed) == ("just now" if told == "now" else f"{told} ago")


@pytest.mark.parametrize(
    ("size_bytes", "told"),
    [
        (None, ""),
        (0, "0 B"),
        (999, "999 B"),
        (1_500, "1.5 kB"),
        (66_100_000, "66.1 MB"),
        (200_000_000_000, "200.0 GB"),
    ],
)
def test_a_size_is_in_the_unit_that_people_compare(size_bytes: int | None, told: str) -> None:
    """A size is in the largest decimal unit that fits, and empty if unknown."""
    assert size(size_bytes) == told
