"""Words and variables in a Dockerfile's instructions, split and expanded as a shell does it."""

from __future__ import annotations

import re
from collections.abc import Mapping

_VARIABLE = re.compile(r"\\\$|\$(?:(\w+)|\{(\w+)(?:(:?)([-+?])([^{}]*))?\})")


def split_words(text: str, escape: str = "\\") -> tuple[str, ...]:
    """Split at white space, with quotes and escapes kept as written."""
    mark = re.escape(escape)
    word = re.compile(rf"""(?:{mark}.|'[^']*'|"(?:{mark}.|[^"{mark}])*"|[^\s])+""", re.DOTALL)
    return tuple(word.findall(text))


def unquoted(word: str, escape: str = "\\") -> str:
    """A word without its quotes and escapes."""
    mark = re.escape(escape)
    parts = re.compile(rf"""'([^']*)'|"((?:{mark}.|[^"{mark}])*)"|{mark}(.)|(.)""", re.DOTALL)

    def plain(found: re.Match[str]) -> str:
        literal, quoted, escaped, other = found.groups()
        if quoted is not None:
            return re.sub(rf"{mark}([\"$`{mark}])", r"\1", quoted)
        return next(part for part in (literal, escaped, other) if part is not None)

    return parts.sub(plain, word)


def expand(text: str, values: Mapping[str, str]) -> str:
    """The text with its variables replaced; one without a value becomes empty, an unknown form is left unchanged."""

    def value(found: re.Match[str]) -> str:
        plain, braced, colon, operator, word = found.groups()
        name = plain or braced
        if name is None:
            return "$"
        known = values.get(name)
        is_set = bool(known) if colon else known is not None
        if operator == "-" and not is_set:
            return expand(word, values)
        if operator == "+":
            return expand(word, values) if is_set else ""
        return known or ""

    return _VARIABLE.sub(value, text)
