"""Text from outside as it is shown."""

from __future__ import annotations

import unicodedata

import pytest

from ecr_widgets.model.text import cut, visible


@pytest.mark.parametrize(
    "letter",
    [
        "\u3164", "\u2800", "\u034f", "\ufe0f", "\u115f", "\u1160", "\u17b4", "\uffa0", "\u00ad", "\u200b", "\u2060",
        "\ufeff", "\u180b", "\u202e", "\U000e0041", "\U0001d173", "\U0001d159", "\u3000", "\x1b", "\x9b",
    ],
)  # fmt: skip
def test_a_letter_that_shows_nothing_is_escaped(letter: str) -> None:
    """An invisible character is shown as its escape."""
    shown = visible(f"prod{letter}")
    assert shown.isascii()
    assert shown.removeprefix("prod").encode().decode("unicode_escape") == letter


@pytest.mark.parametrize("name", ["team/app:1.10", "größe", "日本語", "한글", "e\u0301", "a b\nc", "⠁", "🚀"])
def test_what_shows_stays_as_it_is(name: str) -> None:
    """Visible characters of any script, combining marks, symbols and line ends stay unchanged."""
    assert visible(name) == name


def test_no_format_character_is_shown_as_it_is() -> None:
    """Of all control, format and separator characters only the space and the line end are shown unchanged."""
    kept = [
        letter
        for letter in map(chr, range(0x110000))
        if unicodedata.category(letter) in ("Cc", "Cf", "Zs", "Zl", "Zp") and visible(letter) == letter
    ]
    assert kept == ["\n", " "]


@pytest.mark.parametrize(("text", "shown"), [("", ""), ("abc", "abc"), ("abcd", "abc…")])
def test_only_a_text_that_is_too_long_is_cut(text: str, shown: str) -> None:
    """A text of the longest length stays as it is; a longer one ends in an ellipsis."""
    assert cut(text, 3) == shown
