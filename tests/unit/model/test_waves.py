"""A fleet's waves, and the rule that stops it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_widgets.errors import InputError
from ecr_widgets.model.waves import Counts, TargetState, Verdict, WaveSizes, state_of, verdict


@pytest.mark.parametrize(
    ("text", "count", "waves"),
    [
        ("1", 0, ()),
        ("1", 1, (1,)),
        ("1", 3, (1, 1, 1)),
        ("1,100%", 1, (1,)),
        ("1,100%", 60, (1, 59)),
        ("100%", 60, (60,)),
        ("60", 60, (60,)),
        ("1000", 60, (60,)),
        ("1,5,20%", 60, (1, 5, 12, 12, 12, 12, 6)),
        ("1,5,20%", 5, (1, 4)),
        ("1, 2", 6, (1, 2, 2, 1)),
        ("1%", 3, (1, 1, 1)),
        ("10%", 3, (1, 1, 1)),
        ("34%", 3, (2, 1)),
        ("50%", 3, (2, 1)),
        ("50%", 50, (25, 25)),
        ("10%", 50, (5,) * 10),
        ("10%", 10, (1,) * 10),
        ("29%", 100, (29, 29, 29, 13)),
    ],
)
def test_sizes_make_waves(text: str, count: int, waves: tuple[int, ...]) -> None:
    """Percentages are of all targets, rounded up; the last size repeats, and the last wave has the rest."""
    assert WaveSizes.parse(text).cut(count) == waves


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "0%", "101%", "1,,2", "1.5", "all", "1;2", "٣", "20 %", "1234567"]
)
def test_what_is_no_size_is_refused(text: str) -> None:
    """An invalid wave size, such as 0 or 101%, is refused."""
    with pytest.raises(InputError, match="refused"):
        WaveSizes.parse(text)


@given(
    st.lists(st.one_of(st.integers(1, 99).map(str), st.integers(1, 100).map(lambda n: f"{n}%")), min_size=1),
    st.integers(0, 2000),
)
def test_each_target_is_in_one_wave_and_no_wave_is_empty(sizes: list[str], count: int) -> None:
    """Each target is in exactly one wave, and no wave is empty."""
    waves = WaveSizes.parse(",".join(sizes)).cut(count)
    assert sum(waves) == count
    assert all(waves)


@pytest.mark.parametrize(
    ("so_far", "stop_after", "follows"),
    [
        (Counts(), 0, Verdict.GO_ON),
        (Counts(succeeded=1), 0, Verdict.GO_ON),
        (Counts(failed=1), 0, Verdict.TOO_MANY_FAILED),
        (Counts(succeeded=58, failed=1), 1, Verdict.GO_ON),
        (Counts(succeeded=58, failed=2), 1, Verdict.TOO_MANY_FAILED),
        (Counts(failed=60), 60, Verdict.GO_ON),
        (Counts(failed=60), 59, Verdict.TOO_MANY_FAILED),
        (Counts(unknown=1), 60, Verdict.UNKNOWN),
        (Counts(failed=9, unknown=1), 0, Verdict.UNKNOWN),
        (Counts(waiting=1), 0, Verdict.WAITING),
        (Counts(failed=1, waiting=1), 1, Verdict.WAITING),
        (Counts(failed=2, waiting=1), 1, Verdict.TOO_MANY_FAILED),
    ],
)
def test_the_rule_counts_failures_so_far(so_far: Counts, stop_after: int, follows: Verdict) -> None:
    """More failures than allowed, or any unknown outcome, stop a fleet; a waiting target pauses it."""
    assert verdict(so_far, stop_after=stop_after) is follows


@pytest.mark.parametrize(
    ("code", "state"),
    [(0, "succeeded"), (1, "failed"), (2, "failed"), (3, "failed"), (4, "unknown"), (5, "busy"), (6, "failed"), (7, "waiting"), (-9, "failed"), (99, "failed")],
)  # fmt: skip
def test_an_exit_code_is_a_state(code: int, state: str) -> None:
    """Each exit code of the contract means one state, and any other code means failed."""
    assert state_of(code) == TargetState(state)


def test_counts_read_as_a_sentence() -> None:
    """A sum of counts lists only those that are not zero."""
    assert str(Counts(succeeded=3) + Counts(failed=1, unknown=2)) == "3 succeeded, 1 failed, 2 unknown"
    assert (Counts(succeeded=3) + Counts(failed=1, waiting=2)).ended == 6
