"""Ignore files: what a build context leaves out, as Docker's own matcher decides it.

A pattern is Go's `filepath.Match` with `**` added; the last pattern that matches a path or one of its folders decides.

Source: Dockerfile reference, ".dockerignore file"; Go, package path/filepath, Match.
"""

from __future__ import annotations

import posixpath
import re
import warnings
from dataclasses import dataclass
from functools import cached_property

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SPECIAL = re.compile(r"[*?\[\]\\]")
_MEMBER = r"(?:\\.|[^\\\]-])"
_WELL_FORMED = re.compile(rf"(?:\\.|[^\\\[]|\[\^?(?:{_MEMBER}(?:-{_MEMBER})?)+\])*", re.DOTALL)
_READ_ALIKE = re.compile(r"(?:(?<![^/])\*\*(?=/|$)|(?<!\*)\*(?!\*)|[\w ./?\\\[\]#!@+=,~%&'-])*", re.ASCII)
_NAMED_CLASS = re.compile(r"\[:\^?\w+:\]")
_CLASSES = frozenset("dDwWsSbBAaftnrv")
"""Letters after a backslash that Go's regular expressions, which the matcher is made of, take for more than the letter."""


@dataclass(frozen=True)
class Pattern:
    """One line that counts."""

    text: str
    """Cleaned: no `./`, no slash at either end."""
    is_exception: bool
    """Whether what it matches is sent after all (`!`)."""

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        with warnings.catch_warnings():
            # Sets within sets are none, neither to Go nor to Python so far.
            warnings.simplefilter("ignore", FutureWarning)
            return re.compile(_translated(self.text), re.ASCII)

    @property
    def is_read_alike(self) -> bool:
        """Whether clients before 2022 take it for the same: they find no exception by wildcards in an ignored folder."""
        has_wildcards = _SPECIAL.search(self.text) is not None
        return _READ_ALIKE.fullmatch(self.text) is not None and not (self.is_exception and has_wildcards)

    def matches(self, path: str) -> bool:
        """Whether it matches the whole path, relative to the context; folders above are looked at by the caller."""
        if self.text.startswith("**") and not _SPECIAL.search(self.text, 2):
            ending = self.text[2:]
            return path.endswith(ending) or path == ending.removeprefix("/")
        if not _SPECIAL.search(self.text):
            return path == self.text
        return self._expression.fullmatch(path) is not None


@dataclass(frozen=True, slots=True)
class IgnoreFile:
    """The patterns of an ignore file in their order."""

    patterns: tuple[Pattern, ...] = ()

    @classmethod
    def parse(cls, content: bytes) -> IgnoreFile:
        """Read a file.

        Raises:
            ValueError: A pattern that Docker refuses, named with its line.
        """
        patterns = []
        lines = content.removeprefix(_BYTE_ORDER_MARK).decode(errors="surrogateescape").split("\n")
        for number, line in enumerate(lines, start=1):
            # A `#` counts in the very first column only.
            text = "" if line.startswith("#") else line.strip()
            if not text:
                continue
            is_exception = text.startswith("!")
            text = text.removeprefix("!").strip() if is_exception else text
            if not text:
                raise ValueError(f"line {number}: `!` alone is not a pattern")
            pattern = Pattern(_cleaned(text), is_exception)
            try:
                _check(pattern.text)
                pattern.matches("")
            except (ValueError, re.error):
                raise ValueError(f"line {number}: {text!r} is not a pattern") from None
            patterns.append(pattern)
        return cls(tuple(patterns))

    def look(self, path: str, above: Look) -> Look:
        """What is decided of a path, given what was decided of the folder it is in."""
        is_ignored, matched = False, []
        for number, pattern in enumerate(self.patterns):
            matches = bool(above.matched) and above.matched[number]
            # What cannot change the decision any more is not tried, and counts as not matched for what is below.
            if not matches and pattern.is_exception == is_ignored:
                matches = pattern.matches(path)
            matched.append(matches)
            if matches:
                is_ignored = not pattern.is_exception
        return Look(is_ignored, tuple(matched))

    def ignores(self, path: str) -> bool:
        """What is decided of a path, folders above it included."""
        look, parts = Look(), path.split("/")
        for end in range(1, len(parts) + 1):
            look = self.look("/".join(parts[:end]), look)
        return look.is_ignored


@dataclass(frozen=True, slots=True)
class Look:
    """What an ignore file says of one path."""

    is_ignored: bool = False
    matched: tuple[bool, ...] = ()
    """Whether each pattern matched it or a folder above it."""


def _cleaned(pattern: str) -> str:
    cleaned = posixpath.normpath(pattern)
    # Python keeps two slashes in front, Go none.
    return cleaned.lstrip("/") or "/"


def _translated(pattern: str) -> str:
    """The pattern as the regular expression that Docker makes of it, oddities included: a class may match a slash."""
    parts, at = [], 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*" and pattern.startswith("*", at):
            at += 1
            at += pattern.startswith("/", at)
            # At the end it is everything below, elsewhere any number of folders.
            parts.append(".*" if at == len(pattern) else "(.*/)?")
        elif char == "*":
            parts.append("[^/]*")
        elif char == "?":
            parts.append("[^/]")
        elif char == "\\":
            escaped = pattern[at]
            if escaped.isascii() and escaped.isalnum() and escaped not in _CLASSES:
                raise ValueError(f"\\{escaped}")
            parts.append(char + escaped)
            at += 1
        else:
            parts.append(char if char in "[]^-" else re.escape(char))
    return "".join(parts)


def _check(pattern: str) -> None:
    """Raise ValueError where Go's Match refuses the pattern: a class that is empty or open, an escape of nothing."""
    # Docker's matcher takes a named class such as [:alpha:] for what it says; ours would not.
    if not _WELL_FORMED.fullmatch(pattern) or _NAMED_CLASS.search(pattern):
        raise ValueError(pattern)
