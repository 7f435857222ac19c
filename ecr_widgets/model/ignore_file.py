"""Ignore files: what a build context leaves out, by the rules of Docker's own matcher.

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
"""Letters that have a special meaning after a backslash in Go's regular expressions, which the matcher is built on."""


@dataclass(frozen=True)
class Pattern:
    """One line that has an effect."""

    text: str
    """Cleaned: no `./`, no slash at either end."""
    is_exception: bool
    """Whether what it matches is sent after all (`!`)."""

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        with warnings.catch_warnings():
            # Neither Go nor, so far, Python has nested sets.
            warnings.simplefilter("ignore", FutureWarning)
            return re.compile(_translated(self.text), re.ASCII)

    @property
    def is_read_alike(self) -> bool:
        """Whether clients from before 2022 read it the same way: in an ignored folder they find no exceptions with wildcards."""
        has_wildcards = _SPECIAL.search(self.text) is not None
        return _READ_ALIKE.fullmatch(self.text) is not None and not (self.is_exception and has_wildcards)

    def matches(self, path: str) -> bool:
        """Whether it matches the whole path, relative to the context; the caller checks the folders above."""
        if self.text.startswith("**") and not _SPECIAL.search(self.text, 2):
            ending = self.text[2:]
            return path.endswith(ending) or path == ending.removeprefix("/")
        if not _SPECIAL.search(self.text):
            return path == self.text
        return self._expression.fullmatch(path) is not None


@dataclass(frozen=True, slots=True)
class IgnoreFile:
    """The patterns of an ignore file, in order."""

    patterns: tuple[Pattern, ...] = ()

    @classmethod
    def parse(cls, content: bytes) -> IgnoreFile:
        """Parse a file.

        Raises:
            ValueError: Docker would refuse a pattern; the message names it and its line.
        """
        patterns = []
        lines = content.removeprefix(_BYTE_ORDER_MARK).decode(errors="surrogateescape").split("\n")
        for number, line in enumerate(lines, start=1):
            # A `#` starts a comment only in the first column.
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
        """The decision about a path, given the one about its folder."""
        is_ignored, matched = False, []
        for number, pattern in enumerate(self.patterns):
            matches = bool(above.matched) and above.matched[number]
            # A pattern that can no longer change the decision is not tried, and counts as not matched for what is below.
            if not matches and pattern.is_exception == is_ignored:
                matches = pattern.matches(path)
            matched.append(matches)
            if matches:
                is_ignored = not pattern.is_exception
        return Look(is_ignored, tuple(matched))

    def ignores(self, path: str) -> bool:
        """Whether a path is ignored, taking the folders above it into account."""
        look, parts = Look(), path.split("/")
        for end in range(1, len(parts) + 1):
            look = self.look("/".join(parts[:end]), look)
        return look.is_ignored


@dataclass(frozen=True, slots=True)
class Look:
    """What an ignore file says about one path."""

    is_ignored: bool = False
    matched: tuple[bool, ...] = ()
    """Whether each pattern matched it or a folder above it."""


def _cleaned(pattern: str) -> str:
    cleaned = posixpath.normpath(pattern)
    # Python keeps two leading slashes, Go does not.
    return cleaned.lstrip("/") or "/"


def _translated(pattern: str) -> str:
    """The pattern as the regular expression that Docker turns it into, oddities included: a class may match a slash."""
    parts, at = [], 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*" and pattern.startswith("*", at):
            at += 1
            at += pattern.startswith("/", at)
            # At the end it means everything below, elsewhere any number of folders.
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
    """Raise ValueError if Go's Match refuses the pattern: an empty or open class, or an escape of nothing."""
    # Docker's matcher understands a named class such as [:alpha:]; ours would not.
    if not _WELL_FORMED.fullmatch(pattern) or _NAMED_CLASS.search(pattern):
        raise ValueError(pattern)
