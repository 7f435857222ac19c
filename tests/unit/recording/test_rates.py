"""Rates of long work."""

from __future__ import annotations

from ecr_widgets.ports import Progress
from ecr_widgets.recording.rates import Rates
from ecr_widgets.recording.render import progress_text


def layer(done: int, unit: str = "bytes") -> Progress:
    return Progress("1a2b", "pushing", done, 10_000_000, unit)


def test_a_rate_is_what_was_done_since_a_part_was_first_seen() -> None:
    """In bytes a second, each part for itself; what was done before it was seen does not count."""
    rates = Rates()
    assert rates.rate(layer(1_000_000), 5.0) is None
    assert rates.rate(layer(4_000_000), 7.0) == 1_500_000
    assert rates.rate(Progress("3c4d", "pushing", 9, 10, "bytes"), 7.0) is None


def test_no_rate_is_told_too_soon_or_of_what_has_none() -> None:
    """A first moment, work that stands still, and counts of other things."""
    rates = Rates()
    assert rates.rate(layer(0), 0.0) is None
    assert rates.rate(layer(1_000), 0.1) is None
    assert rates.rate(layer(0), 3.0) is None
    assert rates.rate(layer(3, unit="good checks"), 9.0) is None


def test_a_rate_is_shown_in_human_units() -> None:
    """Behind how far it is."""
    assert progress_text(layer(4_000_000), 1_500_000.4).endswith("4.0 MB of 10.0 MB, 1.5 MB/s")
