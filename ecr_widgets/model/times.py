"""Times in the contract's format: UTC, RFC 3339, ending in Z."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import overload

_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:(\.\d{1,6})\d*)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


@overload
def to_rfc3339(moment: datetime) -> str: ...
@overload
def to_rfc3339(moment: datetime | None) -> str | None: ...
def to_rfc3339(moment: datetime | None) -> str | None:
    """Format an aware time in UTC with milliseconds; None stays None.

    Raises:
        ValueError: The time is naive, so its meaning is unknown, or in UTC it is outside the years 1 to 9999.
    """
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError("a time without a zone cannot be recorded")
    try:
        return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except OverflowError as error:
        raise ValueError(f"{moment.isoformat()} is outside the years 1 to 9999") from error


def from_rfc3339(text: str) -> datetime:
    """Parse an RFC 3339 time; digits beyond microseconds, as Go writes them, are dropped.

    Raises:
        ValueError: Not an RFC 3339 time with a zone.
    """
    parts = _RFC3339.fullmatch(text)
    if parts is None:
        raise ValueError(f"{text!r} is not a time with a zone, such as 2026-01-31T23:59:59Z")
    date, time, fraction, zone = parts.groups(default="")
    try:
        return datetime.fromisoformat(f"{date}T{time}{fraction}{zone.upper()}").astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} is outside the years 1 to 9999") from error
