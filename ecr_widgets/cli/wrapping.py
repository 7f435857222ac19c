"""Sentences on a terminal, broken between words; the terminal itself would break within words."""

from __future__ import annotations

import os
import re
import textwrap
from typing import TextIO

_COMMAND = re.compile("`[^`]*`")
_WHOLE = "\N{NO-BREAK SPACE}"
"""Replaces a blank where no line may end."""


def wrapped(text: str, stream: TextIO, *, hang: int = 2) -> str:
    """Wrap the text to the terminal's width; return it unchanged if the stream is not a terminal.

    A command in backticks stays on one line, so that it can be copied.

    Args:
        hang: How many blanks to put before each line but the first.
    """
    from ecr_widgets.recording.terminal import is_live

    if not is_live(stream):
        return text
    whole = _COMMAND.sub(lambda found: found[0].replace(" ", _WHOLE), text)
    lines = [
        line
        for each in whole.splitlines()
        for line in textwrap.wrap(
            each,
            _columns(stream),
            subsequent_indent=" " * hang,
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]
    return "\n".join(lines).replace(_WHOLE, " ")


def _columns(stream: TextIO) -> int:
    given = os.environ.get("COLUMNS", "")
    return (int(given) if given.isdecimal() else os.get_terminal_size(stream.fileno()).columns) or 80
