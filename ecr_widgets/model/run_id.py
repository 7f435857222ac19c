"""What the id of a run looks like."""

from __future__ import annotations

RUN_ID = r"\d{8}T\d{6}Z-[0-9a-f]{6}"
"""The second at which it began, in UTC, and six random digits: ids sort by time."""
LEAST_PART = 4
"""Letters of an id that name a run; fewer are a typing error rather than a name."""
