"""The format of a run's id."""

from __future__ import annotations

RUN_ID = r"\d{8}T\d{6}Z-[0-9a-f]{6}"
"""The second at which it began, in UTC, and six random hexadecimal digits: ids sort by time."""
LEAST_PART = 4
"""Fewest characters of an id that identify a run; anything shorter is more likely a typing error."""
