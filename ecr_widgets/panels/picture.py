"""What a panel shows, in the three forms that a notebook keeps. Nothing in it needs a kernel, JavaScript or trust."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ecr_widgets.model.amounts import ago
from ecr_widgets.model.drawing import Drawing
from ecr_widgets.model.markup import Markup, element
from ecr_widgets.model.plan_lines import planned_line
from ecr_widgets.model.record import PANEL_MIME
from ecr_widgets.model.text import visible
from ecr_widgets.model.times import to_rfc3339

PANEL_VERSION = 2
PLANNED = "Planned: "
"""Beginning of the title of a part whose rows are a plan's lines."""
LARGEST_BUNDLE_BYTES = 40_000
MOST_ROWS = 100
_SAMPLE = 10
_MOST_PART_ROWS = 40
_LONGEST_CELL = 500
"""Characters; tags have 128 at most, but an image may have many."""
_LONGEST_PROBLEM = 3000
_UNBROKEN = 45
_DIGEST, _SHORT = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII), 19
_LONGEST_BAR = 20
_TIME = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d UTC) (\(.*\))", re.ASCII)


@dataclass(frozen=True, slots=True)
class Part:
    """A smaller table below the picture's own, such as events or log lines."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: int = 0

    def to_json(self) -> dict[str, object]:
        """As in both versions of a panel's JSON."""
        return {
            "title": self.title,
            "columns": self.columns,
            "rows": self.rows,
            "left_out": self.left_out,
        }

    def capped(self, rows: int) -> Part:
        """The part with at most that many rows, and long cells cut."""
        shown = tuple(tuple(_clipped(cell) for cell in row) for row in self.rows[:rows])
        return replace(
            self, title=_clipped(self.title), rows=shown, left_out=self.left_out + len(self.rows) - len(shown)
        )


@dataclass(frozen=True, slots=True)
class Picture:
    """A table with a title, as of a point in time."""

    kind: str
    title: str
    at: datetime
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: int = 0
    """How many rows this picture does not show."""
    note: str = ""
    problem: str = ""
    """What went wrong, and what to try."""
    status: str = ""
    """What is running."""
    parts: tuple[Part, ...] = ()
    plots: tuple[Drawing, ...] = ()
    """Shown above the rows."""
    key: int = 0
    """The column that identifies a row."""
    live: str = ""
    """The id by which a front end finds the live panel, in the kernel that drew it."""

    @property
    def count(self) -> int:
        """The number of all rows, shown or not."""
        return len(self.rows) + self.left_out

    def capped(self) -> Picture:
        """The same picture with as many rows as a saved notebook should hold."""
        return self.fitted()[0]

    def fitted(self) -> tuple[Picture, dict[str, str]]:
        """The capped picture, and its forms by MIME type."""
        return replace(
            self,
            title=_clipped(self.title),
            note=_clipped(self.note),
            status=_clipped(self.status),
            problem=_clipped(self.problem, _LONGEST_PROBLEM),
        )._with_rows_that_fit()

    def _with_rows_that_fit(self) -> tuple[Picture, dict[str, str]]:
        total, count = self.count, min(len(self.rows), MOST_ROWS)
        if count > _SAMPLE:
            # Rows are about equally long: a few are enough to estimate how many fit.
            sample = tuple(tuple(_clipped(cell) for cell in row) for row in self.rows[:_SAMPLE])
            sample_bytes = _size_bytes(replace(self, rows=sample, parts=(), plots=()).bundle())
            room_bytes = LARGEST_BUNDLE_BYTES - sum(2 * len(plot.source) for plot in self.plots)
            count = max(_SAMPLE, min(count, _SAMPLE * room_bytes // sample_bytes))
        parts = tuple(part.capped(_MOST_PART_ROWS) for part in self.parts)
        # One cell of a megabyte must not push all rows out.
        rows = tuple(tuple(_clipped(cell) for cell in row) for row in self.rows[:count])
        while True:
            shown = replace(self, rows=rows[:count], left_out=total - count, parts=parts)
            bundle = shown.bundle()
            size_bytes = _size_bytes(bundle)
            if size_bytes <= LARGEST_BUNDLE_BYTES:
                return shown, bundle
            if count == 0 and self.plots:
                return replace(self, plots=())._with_rows_that_fit()
            if count == 0:
                if all(not part.rows for part in parts):
                    return shown, bundle
                parts = tuple(part.capped(len(part.rows) // 2) for part in parts)
                continue
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
                "status": self.status,
                "parts": [part.to_json() for part in self.parts],
                **({"plots": [plot.to_json() for plot in self.plots]} if self.plots else {}),
                "key": self.key,
                **({"live": self.live} if self.live else {}),
            },
            separators=(",", ":"),
            ensure_ascii=False,
        )

    def to_html(self) -> str:
        """One fragment with inline styles; everything that came from outside is escaped."""
        notices = (
            element(
                "div",
                element("b", sign),
                f" {text}",
                style=f"border-left:4px solid {colour};padding:2px 8px;margin:4px 0",
            )
            for sign, colour, text in (("…", "#8a6d00", self.status), ("✗", "#c62828", self.problem))
            if text
        )
        parts: list[Markup] = []
        for part in self.parts:
            parts += [
                element("div", element("b", _headed(part)), style="margin:6px 0 0"),
                _table(part.columns, part.rows, is_plan=part.title.startswith(PLANNED)),
            ]
        return element(
            "div",
            element("b", self.title),
            " ",
            element("span", self._summary()),
            *notices,
            *(element("div", plot.to_image()) for plot in self.plots),
            _table(self.columns, self.rows),
            *parts,
            style="border-left:4px solid #1976d2;padding:4px 12px;margin:2px 0;line-height:1.5",
            kind=self.live,
        )

    def to_text(self) -> str:
        """Aligned plain text."""
        notices = [
            f"{sign} {visible(text)}" for sign, text in (("…", self.status), ("✗", self.problem)) if text
        ]
        lines = [
            f"{visible(self.title)} {visible(self._summary())}",
            *notices,
            *(visible(plot.alt) for plot in self.plots),
            *_lines(self.columns, self.rows),
        ]
        for part in self.parts:
            lines += ["", visible(_headed(part)), *_lines(part.columns, part.rows)]
        return "\n".join(lines)

    def _summary(self) -> str:
        here = local_time(self.at, self.at)
        parts = [f"as of {to_rfc3339(self.at)}" + (f" ({here})" if here else "")]
        if self.left_out:
            parts.append(f"{len(self.rows)} shown")
        if self.left_out:
            parts.append(f"{self.left_out} not shown")
        return ", ".join(part for part in (*parts, self.note) if part)


def _clipped(text: str, longest: int = _LONGEST_CELL) -> str:
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text)} characters)"


def _size_bytes(bundle: Mapping[str, str]) -> int:
    # As the notebook's JSON holds them, quotes escaped.
    return len(json.dumps(bundle, ensure_ascii=False).encode())


def when(moment: datetime, now: datetime) -> str:
    """A time for people: UTC, the kernel's local time if it differs, and how long ago."""
    here = ", ".join(each for each in (local_time(moment, now), ago(now - moment)) if each)
    return f"{to_rfc3339(moment)[:16].replace('T', ' ')} UTC ({here})"


def local_time(moment: datetime, now: datetime) -> str:
    """The kernel's local time, with the date if it differs; empty if it is UTC too."""
    local = moment.astimezone(now.tzinfo if now.tzinfo not in (None, UTC) else None)
    if not local.utcoffset():
        return ""
    day = "%Y-%m-%d " if local.date() != moment.astimezone(UTC).date() else ""
    return local.strftime(f"{day}%H:%M %Z")


def matches(words: str, texts: Sequence[str]) -> bool:
    """Whether all words occur in the texts, in any case."""
    joined = "\n".join(texts).casefold()
    return all(word in joined for word in words.casefold().split())


def matching(words: str, rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Rows that have all the words; what belongs to a row stays below it, and matches together with it.

    The front end filters in the same way.
    """
    groups: list[list[tuple[str, ...]]] = []
    for row in rows:
        if row[0].startswith("└") and groups:
            groups[-1].append(row)
        else:
            groups.append([row])
    return [
        row for group in groups if matches(words, [cell for each in group for cell in each]) for row in group
    ]


def bar(count: int, wanted: int) -> str:
    """A text bar of how many there are of those wanted; scaled down if it would be long."""
    most = max(count, wanted)
    scale = max(1, -(-most // _LONGEST_BAR))
    full = -(-count // scale)
    return "█" * full + "░" * (-(-most // scale) - full)


def _headed(part: Part) -> str:
    return f"{part.title} ({part.left_out} not shown)" if part.left_out else part.title


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, is_plan: bool = False) -> Markup:
    if not rows and not columns:
        return Markup()
    heads = (element("th", name, scope="col", style="text-align:left;white-space:nowrap") for name in columns)
    cell = _planned if is_plan else _cell if columns else _line
    return element(
        "table",
        element("thead", element("tr", *heads)) if columns else Markup(),
        element("tbody", *(element("tr", *map(cell, row)) for row in rows)),
        style="border:0;margin:4px 0;font-size:90%",
    )


def _cell(text: str) -> Markup:
    """A cell with digests cut short; they are complete in the JSON, and when the cell is opened by keyboard or mouse."""
    short = _shortened(text)
    # Names, sizes and times stay on one line; long texts may break, though not into a column of single words.
    style = ""
    if len(short) <= _UNBROKEN:
        style = ";white-space:nowrap" if "-" in short or " " in short else ""
    elif " " in short:
        style = ";min-width:16em"
    shown = _TIME.sub(r"\1\n\2", short) if " UTC (" in short else short
    if short != text:
        shown = element("details", element("summary", shown), text)
    return element("td", shown, style=f"text-align:left{style}")


def _line(text: str) -> Markup:
    """What is read as a sentence, such as a log line: in full."""
    return element("td", text, style="text-align:left")


def _planned(text: str) -> Markup:
    return element("td", planned_line(text), style="text-align:left;padding:0")


def _shortened(text: str) -> str:
    """The text with digests cut short."""
    # Most cells have none; checking that first is faster than the regular expression.
    return _DIGEST.sub(lambda found: f"{found[0][:_SHORT]}…", text) if "sha256:" in text else text


def _lines(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    headed = any(columns)
    table = [
        [visible(_shortened(cell) if headed else cell).replace("\n", " ") for cell in row]
        for row in ([columns, *rows] if headed else rows)
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
