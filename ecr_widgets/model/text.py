"""Text from outside, made harmless to show."""

from __future__ import annotations


def visible(text: str) -> str:
    """The text with control and direction characters shown as escapes, so that none of them acts."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else f"\\u{ord(c):04x}" for c in text)
