"""Tables: on a terminal fitted to its width, with colours, signs and ages; elsewhere complete, plain and always the same."""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

import click

from ecr_widgets.model.amounts import age
from ecr_widgets.model.text import visible
from ecr_widgets.recording.terminal import is_live

T = TypeVar("T")
_GAP = "  "
wide_option = click.option("--wide", is_flag=True, help="Full values, whatever the terminal's width.")


@dataclass(frozen=True)
class Column(Generic[T]):
    """One column of a table."""

    header: str
    of: Callable[[T], object]
    """The value of a row in this column."""
    least: int = 0
    """The characters that it keeps on a narrow terminal; 0 if it is never cut."""
    colour: Callable[[T], str | None] | None = None
    optional: bool = False
    """Whether it is dropped if the terminal is still too narrow."""
    is_number: bool = False


def is_brief(*, wide: bool) -> bool:
    """Whether to print a table's brief form: for people at a terminal, not for programs."""
    return not wide and is_live(sys.stdout)


def print_table(
    rows: Iterable[T], full: Sequence[Column[T]], brief: Sequence[Column[T]], *, wide: bool
) -> None:
    """Print a table in one of its two forms; control characters are shown as text.

    Args:
        full: Its columns in a pipe, in a file and with --wide; none is cut.

        brief: Its columns on a terminal.
    """
    rows = list(rows)
    if not is_brief(wide=wide):
        _print(rows, full, [0] * len(full), colours=False)
        return
    if not rows:
        click.echo("none")
        return
    columns = list(brief)
    room = shutil.get_terminal_size().columns
    while (widths := _fitted(rows, columns, room)) is None:
        dropped = next((each for each in reversed(columns) if each.optional), None)
        if dropped is None:
            widths = [each.least for each in columns]  # lines wrap, but no more is cut
            break
        columns.remove(dropped)
    _print(rows, columns, widths, colours=has_colours())


def has_colours() -> bool:
    """Whether stdout shows colours and the user wants them."""
    return is_live(sys.stdout) and not os.environ.get("NO_COLOR")


def since(moment: datetime | None) -> str:
    """How long ago a moment was, for a column on a terminal; empty if unknown."""
    return "" if moment is None else age(datetime.now(UTC) - moment)


def short_digest(digest: str) -> str:
    """The part of a digest that people compare."""
    return digest.removeprefix("sha256:")[:12]


def _fitted(rows: Sequence[T], columns: Sequence[Column[T]], room: int) -> list[int] | None:
    """Column widths that make a line fit, the widest cut first; None if nothing fits. 0 means uncut."""
    natural = [max([len(each.header), *(_width(_cell(each, row)) for row in rows)]) for each in columns]
    widths = list(natural)
    over = sum(widths) + len(_GAP) * (len(widths) - 1) - room
    while over > 0:
        can = [
            at
            for at, each in enumerate(columns)
            if each.least and widths[at] > max(each.least, len(each.header))
        ]
        if not can:
            return None
        widths[max(can, key=lambda at: widths[at])] -= 1
        over -= 1
    return [0 if width == whole else width for width, whole in zip(widths, natural, strict=True)]


def _print(rows: Sequence[T], columns: Sequence[Column[T]], most: Sequence[int], *, colours: bool) -> None:
    texts = [
        [_cut(_cell(each, row), width) for each, width in zip(columns, most, strict=True)] for row in rows
    ]
    headers = [each.header for each in columns]
    widths = [max(map(_width, column)) for column in zip(headers, *texts, strict=True)]

    def line(cells: Sequence[str], paint: Callable[[int, str], str]) -> str:
        padded = []
        for at, (cell, width) in enumerate(zip(cells, widths, strict=True)):
            space = " " * (width - _width(cell))
            painted = paint(at, cell)
            padded.append(f"{space}{painted}" if columns[at].is_number else f"{painted}{space}")
        return _GAP.join(padded).rstrip()

    click.echo(line(headers, lambda _, cell: click.style(cell, dim=True) if colours and cell else cell))
    for row, cells in zip(rows, texts, strict=True):

        def paint(at: int, cell: str, row: T = row) -> str:
            colour = columns[at].colour
            name = colour(row) if colours and colour is not None else None
            return click.style(cell, fg=name) if name and cell else cell

        click.echo(line(cells, paint))


def _cell(column: Column[T], row: T) -> str:
    return visible(str(column.of(row))).replace("\n", " ")


def _cut(text: str, width: int) -> str:
    if not width or _width(text) <= width:
        return text
    while _width(text) > width - 1:
        text = text[:-1]
    return f"{text.rstrip()}…"


def _width(text: str) -> int:
    """How many terminal columns a text takes."""
    return len(text) + sum(
        unicodedata.east_asian_width(letter) in "WF" for letter in text if ord(letter) > 127
    )
