"""Text from outside, made harmless to show."""

from __future__ import annotations

import json
import re

IGNORABLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Invisible characters, for use in a regular expression's character class.

Source: Default_Ignorable_Code_Point of the Unicode Character Database.
"""
# Letters and symbols with an empty glyph, though Unicode counts them as visible: Braille, hieroglyphs, Khitan, music.
_BLANK = "\u2800\U00013441\U00013442\U00016fe4\U0001d159"
_SHOWS_NOTHING = re.compile(f"[{IGNORABLE}{_BLANK}]")


def visible(text: str) -> str:
    """The text with control, direction and invisible characters shown as escapes, so that different texts look different."""
    if text.isprintable() and (text.isascii() or _SHOWS_NOTHING.search(text) is None):
        return text
    return "".join(map(_shown, text))


def one_line(text: str) -> str:
    """The same on one line."""
    return visible(text).replace("\n", "\\n")


def json_text(content: bytes) -> str:
    """What a file with JSON says, whichever form of Unicode it has: PowerShell's `>` writes UTF-16, editors a byte-order mark.

    Raises:
        UnicodeDecodeError: It has none.
    """
    return content.decode(json.detect_encoding(content))


def cut(text: str, longest: int) -> str:
    """The text; if it is longer, its beginning and an ellipsis."""
    return text if len(text) <= longest else f"{text[:longest]}…"


def shortened(name: str, most: int) -> str:
    """Shorten a name in the middle: long names of services and tags differ at the end.

    >>> shortened("demo/a-service-with-a-long-name", 16)
    'demo/a-s…ng-name'
    """
    return name if len(name) <= most else f"{name[: most // 2]}…{name[-(most - most // 2 - 1) :]}"


def _shown(character: str) -> str:
    shows = character.isprintable() and _SHOWS_NOTHING.match(character) is None
    if shows or character == "\n":
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
