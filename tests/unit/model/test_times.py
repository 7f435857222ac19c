"""Times in the contract's form."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_widgets.model.times import from_rfc3339, to_rfc3339


def test_a_time_is_written_in_utc_with_milliseconds() -> None:
    """A time in any zone is written in UTC with milliseconds, ending in Z."""
    moment = datetime(2026, 1, 1, 1, 30, 0, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert to_rfc3339(moment) == "2025-12-31T23:30:00.999Z"


def test_a_time_without_a_zone_is_not_written() -> None:
    """A time without a zone is refused."""
    with pytest.raises(ValueError, match="without a zone"):
        to_rfc3339(datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02t03:04:05z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.5Z", datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=UTC)),
        ("2026-01-02T03:04:05.123456789Z", datetime(2026, 1, 2, 3, 4, 5, 123_456, tzinfo=UTC)),
        ("2026-01-02T03:04:05.123456789-07:30", datetime(2026, 1, 2, 10, 34, 5, 123_456, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_to_microseconds(text: str, moment: datetime) -> None:
    """A time is read to microseconds, including Go's nanoseconds and zero time."""
    assert from_rfc3339(text) == moment
    assert from_rfc3339(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-01-02", "2026-01-02T03:04:05", "2026-01-02T03:04Z", "20260102T030405Z", "2026-W01-1T00:00:00Z",
     "2026-13-01T00:00:00Z", "2026-01-02T24:00:01Z", "2026-01-02T03:04:05,5Z", " 2026-01-02T03:04:05Z",
     "2026-01-02T03:04:05Z\n", "\u0662026-01-02T03:04:05Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"],
)  # fmt: skip
def test_what_is_no_rfc3339_time_is_refused(text: str) -> None:
    """Any other text raises ValueError, as does a time outside the years that Python supports."""
    with pytest.raises(ValueError, match=r"."):
        from_rfc3339(text)


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_written_time_is_read_back_to_the_millisecond(moment: datetime) -> None:
    """A written time is read back exactly to the millisecond."""
    assert from_rfc3339(to_rfc3339(moment)) == moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    """Any text is a time or raises ValueError."""
    try:
        from_rfc3339(text)
    except ValueError:
        pass
