"""Times as the contract writes them: UTC, RFC 3339, ending in Z."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_FRACTION = re.compile(r"(\.\d{6})\d+")


def to_rfc3339(moment: datetime) -> str:
    """Write an aware time in UTC with milliseconds.

    Raises:
        ValueError: The time is naive, so nobody knows what it means.
    """
    if moment.tzinfo is None:
        raise ValueError("a time without a zone cannot be recorded")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_rfc3339(text: str) -> datetime:
    """Read an RFC 3339 time; digits past microseconds, which Go writes, are dropped.

    Raises:
        ValueError: Not an RFC 3339 time with a zone.
    """
    moment = datetime.fromisoformat(_FRACTION.sub(r"\1", text))
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no zone")
    return moment.astimezone(UTC)
