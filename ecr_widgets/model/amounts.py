"""Sizes and ages as people read them."""

from __future__ import annotations

from datetime import timedelta


def age(passed: timedelta) -> str:
    """How long something lasted, or how long ago it was, in the largest unit that fits: `3 d`, `17 min`; `now` under a minute."""
    seconds = int(passed.total_seconds())
    for unit, unit_s in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= unit_s:
            return f"{seconds // unit_s} {unit}"
    return "now"


def ago(passed: timedelta) -> str:
    """How long ago, in the largest unit that fits."""
    words = age(passed)
    return "just now" if words == "now" else f"{words} ago"


def size(size_bytes: int | None) -> str:
    """A size; empty if it is not known."""
    if size_bytes is None:
        return ""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    if size_bytes < 100_000:
        return f"{size_bytes / 1e3:.1f} kB"
    # Below 10 GB a tenth of one hides what a layer more or less makes.
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes < 10e9 else f"{size_bytes / 1e9:.1f} GB"
