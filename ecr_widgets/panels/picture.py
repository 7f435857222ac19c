"""What a panel shows, in the three forms that a notebook keeps. Nothing in it needs a kernel, JavaScript or trust."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from html import escape

from ecr_widgets.model.record import PANEL_MIME
from ecr_widgets.model.text import visible
from ecr_widgets.model.times import to_rfc3339

PANEL_VERSION = 1
LARGEST_BUNDLE_BYTES = 40_000
_MOST_ROWS = 200
_LONGEST_CELL = 500
"""Characters; tags have 128 at most, but an image may have many."""
_CELL = 'style="text-align:left;padding:1px 12px 1px 0;vertical-align:top"'


@dataclass(frozen=True, slots=True)
class Picture:
    """A table with a title, as of a moment."""

    kind: str
    title: str
    at: datetime
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: int = 0
    """Rows that there are and that this picture does not show."""
    note: str = ""
    problem: str = ""
    """What went wrong, and what to try."""

    def capped(self) -> Picture:
        """The same picture with as many rows as a saved notebook should carry."""
        total, count = len(self.rows) + self.left_out, min(len(self.rows), _MOST_ROWS)
        # One cell of a megabyte must not push all rows out.
        rows = tuple(tuple(_clipped(cell) for cell in row) for row in self.rows[:count])
        while True:
            shown = replace(self, rows=rows[:count], left_out=total - count)
            size_bytes = shown._size_bytes()
            if count == 0 or size_bytes <= LARGEST_BUNDLE_BYTES:
                return shown
            # Rows are about as long as each other; a little less than in proportion gets there in few rounds.
            count = min(count - 1, int(0.95 * count * LARGEST_BUNDLE_BYTES / size_bytes))

    def bundle(self) -> dict[str, str]:
        """The forms by MIME type."""
        return {PANEL_MIME: self.to_json(), "text/html": self.to_html(), "text/plain": self.to_text()}

    def to_json(self) -> str:
        """One compact JSON string."""
        return json.dumps(
            {
                "version": PANEL_VERSION,
                "panel": self.kind,
                "title": self.title,
                "at": to_rfc3339(self.at),
                "columns": self.columns,
                "rows": self.rows,
                "left_out": self.left_out,
                "note": self.note,
                "problem": self.problem,
            },
            separators=(",", ":"),
            ensure_ascii=False,
        )

    def to_html(self) -> str:
        """One fragment with inline styles; everything that came from outside is escaped."""
        head = "".join(f"<th {_CELL}>{_html(name)}</th>" for name in self.columns)
        body = "".join(
            '<tr style="background:none">' + "".join(f"<td {_CELL}>{_html(c)}</td>" for c in row) + "</tr>"
            for row in self.rows
        )
        problem = (
            f'<div style="border-left:4px solid #c62828;padding:2px 8px;margin:4px 0"><b>✗</b> {_html(self.problem)}</div>'
            if self.problem
            else ""
        )
        return (
            '<div style="border-left:4px solid #1976d2;padding:4px 12px;margin:2px 0;line-height:1.5">'
            f"<b>{_html(self.title)}</b> <span>{_html(self._summary())}</span>{problem}"
            f'<table style="border:0;margin:4px 0;font-size:90%"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        )

    def to_text(self) -> str:
        """Aligned plain text."""
        table = [self.columns, *self.rows]
        widths = [max(len(visible(row[column])) for row in table) for column in range(len(self.columns))]
        lines = [
            "  ".join(
                visible(cell).replace("\n", " ").ljust(width) for cell, width in zip(row, widths, strict=True)
            ).rstrip()
            for row in table
        ]
        problem = [f"✗ {visible(self.problem)}"] if self.problem else []
        return "\n".join([f"{visible(self.title)} {visible(self._summary())}", *problem, *lines])

    def _summary(self) -> str:
        parts = [f"as of {to_rfc3339(self.at)}"]
        if self.left_out:
            parts.append(f"{len(self.rows)} shown, {self.left_out} left out")
        return ", ".join(part for part in (*parts, self.note) if part)

    def _size_bytes(self) -> int:
        return sum(len(form.encode()) for form in self.bundle().values())


def _clipped(cell: str) -> str:
    return cell if len(cell) <= _LONGEST_CELL else f"{cell[:_LONGEST_CELL]}… ({len(cell)} characters)"


def when(moment: datetime, now: datetime) -> str:
    """A time for people: UTC, and how long ago."""
    return f"{to_rfc3339(moment)[:16].replace('T', ' ')} UTC ({ago(now - moment)})"


def ago(passed: timedelta) -> str:
    """How long ago, in the largest unit that fits."""
    seconds = int(passed.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return "just now"


def size(size_bytes: int | None) -> str:
    """A size for people; empty where it is not known."""
    if size_bytes is None:
        return ""
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1e3:.1f} kB"


def matches(words: str, texts: Sequence[str]) -> bool:
    """Whether all words stand somewhere in the texts, whatever their case."""
    joined = "\n".join(texts).casefold()
    return all(word in joined for word in words.casefold().split())


def _html(text: str) -> str:
    return escape(visible(text)).replace("\n", "<br>")
