"""The speed of long work."""

from __future__ import annotations

from ecr_widgets.ports import Progress
from ecr_widgets.recording.rates import TOTAL, Rates, Total
from ecr_widgets.recording.render import progress_text


def layer(done: int, unit: str = "bytes") -> Progress:
    return Progress("1a2b", "pushing", done, 10_000_000, unit)


def test_a_rate_is_what_was_done_since_a_part_was_first_seen() -> None:
    """A rate is in bytes a second since a part was first seen, and separate for each part."""
    rates = Rates()
    assert rates.rate(layer(1_000_000), 5.0) is None
    assert rates.rate(layer(4_000_000), 7.0) == 1_500_000
    assert rates.rate(Progress("3c4d", "pushing", 9, 10, "bytes"), 7.0) is None


def test_no_rate_is_told_too_soon_or_of_what_has_none() -> None:
    """No rate is given too soon, for work that makes no progress, or for counts other than bytes."""
    rates = Rates()
    assert rates.rate(layer(0), 0.0) is None
    assert rates.rate(layer(1_000), 0.1) is None
    assert rates.rate(layer(0), 3.0) is None
    assert rates.rate(layer(3, unit="good checks"), 9.0) is None


def test_a_rate_is_shown_in_human_units() -> None:
    """A rate is shown in human units after the progress."""
    assert progress_text(layer(4_000_000), 1_500_000.4).endswith("4.0 MB of 10.0 MB, 1.5 MB/s")


def test_all_parts_together_are_one_observation() -> None:
    """All parts are summed once two have a size; a layer that has arrived counts whole, and progress never goes back."""
    total = Total()
    total.take(layer(5_000_000))
    assert total.observed() is None
    total.take(Progress("3c4d", "preparing"))
    total.take(Progress("3c4d", "pushing", 1_000_000, 20_000_000, "bytes"))
    total.take(Progress("1a2b", "pushed"))
    total.take(layer(0))
    both = total.observed()
    assert both is not None
    assert (both.what, both.done, both.total) == (TOTAL, 11_000_000, 30_000_000)
    assert progress_text(both, 1_000_000) == "total: 1 of 2 parts, 11.0 MB of 30.0 MB, 1.0 MB/s, 19 s left"


def test_a_part_that_is_sent_again_counts_from_the_start() -> None:
    """A part that is sent again counts from zero, also while the engine counts down to the retry."""
    total = Total()
    total.take(layer(5_000_000))
    total.take(Progress("3c4d", "pushing", 1, 10, "bytes"))
    total.take(Progress("1a2b", "retrying in 5 seconds", again=True))
    total.take(Progress("1a2b", "retrying in 4 seconds"))
    both = total.observed()
    assert both is not None
    assert both.done == 1
