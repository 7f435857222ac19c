"""Plots as SVG, escaped by construction: shown as images they need no script, trust, style sheet or network.

JupyterLab's sanitizer removes inline SVG and keeps an image with a data URI. Such an image does not know the theme, so text is
in a grey that is readable on light and on dark, and whatever a colour says is also said by a sign, a position or a pattern.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple
from urllib.parse import quote

from ecr_widgets.model.markup import Markup, element
from ecr_widgets.model.text import shortened, visible

INK, LINE = "#767676", "#8886"
BLUE, GREY, GREEN, RED, AMBER = "#1976d2", "#90a4ae", "#2e7d32", "#c62828", "#ad5a00"
_FONT = "system-ui,sans-serif"
_SAFE = "/:;,=()' "
"""Left unquoted in a data URI: the attribute that holds it uses other quotes."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """Shapes on a plane of `width` × `height` pixels, and the same in words."""

    width: int
    height: int
    alt: str
    shapes: tuple[Markup, ...]

    def to_svg(self, *, ink: str = INK) -> Markup:
        """For our own pages, which may know a better colour for text."""
        return self._svg(f' role="img" aria-label="{escape(visible(self.alt))}"', ink)

    def _svg(self, description: str, ink: str) -> Markup:
        shapes = "".join(self.shapes)
        return Markup(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" width="{self.width}" '
            f'height="{self.height}"{description} font-family="{_FONT}" font-size="12" fill="{ink}">{shapes}</svg>'
        )

    @property
    def source(self) -> str:
        """The data URI for an image; the description goes next to it."""
        return f"data:image/svg+xml,{quote(self._svg('', INK).replace(chr(34), chr(39)), safe=_SAFE)}"

    def to_json(self) -> dict[str, str]:
        """For a front end that turns it into an image."""
        return {"src": self.source, "alt": self.alt}

    def to_image(self) -> Markup:
        """For a notebook: an image that shrinks with the cell."""
        return Markup(
            f'<img alt="{escape(visible(self.alt))}" src="{escape(self.source)}" '
            f'style="max-width:100%;width:{self.width}px;display:inline-block">'
        )


def rect(x: float, y: float, width: float, height: float, colour: str) -> Markup:
    """A filled box."""
    return Markup(
        f'<rect x="{x:.4g}" y="{y:.4g}" width="{max(width, 0):.4g}" height="{max(height, 0):.4g}" fill="{colour}"/>'
    )


def line(x: float, y: float, to_x: float, to_y: float, *, colour: str = LINE, width: float = 1) -> Markup:
    """A line."""
    return Markup(
        f'<line x1="{x:.4g}" y1="{y:.4g}" x2="{to_x:.4g}" y2="{to_y:.4g}" stroke="{colour}" stroke-width="{width:g}"/>'
    )


def letters(x: float, y: float, text: str, *, anchor: str = "start", size: int = 12) -> Markup:
    """A line of text."""
    given = (f' text-anchor="{anchor}"' if anchor != "start" else "") + (
        f' font-size="{size}"' if size != 12 else ""
    )
    return Markup(f'<text x="{x:.4g}" y="{y:.4g}"{given}>{escape(visible(text))}</text>')


def area(points: Iterable[tuple[float, float]], colour: str, *, pattern: bool = False) -> Markup:
    """A filled outline; a pattern sets it apart from others without colour."""
    outline = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dashes = ' stroke-dasharray="3 2" fill-opacity="0.35"' if pattern else ' fill-opacity="0.85"'
    return Markup(f'<polygon points="{outline}" fill="{colour}" stroke="{colour}"{dashes}/>')


class Series(NamedTuple):
    """One layer of a stack over time: a value at each moment."""

    name: str
    values: tuple[float, ...]
    colour: str


def stacked(
    seconds: Sequence[float],
    layers: Sequence[Series],
    *,
    wanted: float | None = None,
    alt: str,
    width: int = 520,
    height: int = 96,
) -> Drawing:
    """Layers over time, stacked and drawn as steps: each value holds until the next moment.

    Args:
        seconds: Moments, oldest first.

        wanted: A level to draw a line at.
    """
    left, right, top, bottom = 26, width - 6, 8, height - 30
    span_s = max(seconds[-1] - seconds[0], 0.001)
    most = max((sum(layer.values[at] for layer in layers) for at in range(len(seconds))), default=0.0)
    most = max(most, wanted or 0.0, 1.0)

    def x(moment_s: float) -> float:
        return left + (right - left) * (moment_s - seconds[0]) / span_s

    def y(value: float) -> float:
        return bottom - (bottom - top) * value / most

    shapes = [
        letters(left - 4, top + 8, f"{most:g}", anchor="end", size=11),
        line(left, bottom, right, bottom),
    ]
    below = [0.0] * len(seconds)
    for number, layer in enumerate(layers):
        above = [base + value for base, value in zip(below, layer.values, strict=True)]
        outline = [*_steps(seconds, above, x, y), *reversed(_steps(seconds, below, x, y))]
        shapes.append(area(outline, layer.colour, pattern=number == 0 and len(layers) > 1))
        below = above
    if wanted is not None:
        shapes.append(line(left, y(wanted), right, y(wanted), colour=INK))
    at = float(left)
    for number, layer in enumerate(layers):
        sign = "▨" if number == 0 and len(layers) > 1 else "■"
        label = f"{sign} {layer.name}"
        shapes.append(letters(at, height - 4, label, size=11))
        at += 7 * len(label) + 12
    shapes.append(letters(right, bottom + 13, f"{span_s:.0f} s", anchor="end", size=11))
    shapes.append(letters(left, bottom + 13, "0 s", size=11))
    return Drawing(width, height, alt, tuple(shapes))


def _steps(
    seconds: Sequence[float], values: Sequence[float], x: object, y: object
) -> list[tuple[float, float]]:
    assert callable(x)
    assert callable(y)
    points: list[tuple[float, float]] = []
    for at, value in enumerate(values):
        if at:
            points.append((x(seconds[at]), y(values[at - 1])))
        points.append((x(seconds[at]), y(value)))
    return points


def share(part: float, *, alt: str, width: int = 120, height: int = 12, colour: str = BLUE) -> Drawing:
    """A part of a whole, 0 to 1."""
    part = min(1.0, max(0.0, part))
    filled = rect(0, 0, max(1.5, width * part) if part else 0, height, colour)
    frame = Markup(
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" fill="none" stroke="{LINE}"/>'
    )
    return Drawing(width, height, alt, (filled, frame))


def shape(outline: str, colour: str) -> Markup:
    """A filled path; what lies between crossing outlines is empty."""
    return Markup(f'<path d="{escape(outline)}" fill="{colour}" fill-rule="evenodd"/>')


class Figure(NamedTuple):
    """One number with its history."""

    value: str
    label: str
    course: tuple[float | None, ...]
    """One value per day, the last one today's; None for a day without one."""


def tiles(figures: Sequence[Figure], *, alt: str, width: int = 190, height: int = 78) -> Drawing:
    """Numbers side by side, each above its history."""
    shapes: list[Markup] = []
    for at, figure in enumerate(figures):
        left, bottom = at * width + 2, height - 6
        shapes.append(letters(left, 22, figure.value, size=20))
        shapes.append(letters(left, 38, figure.label, size=11))
        shapes.append(line(left, bottom, left + width - 24, bottom))
        most = max((value for value in figure.course if value), default=0.0) or 1.0
        step = (width - 24) / max(1, len(figure.course))
        outline = ""
        for day, value in enumerate(figure.course):
            if value is not None:
                tall = max(1.0, 28 * value / most)
                outline += f"M{left + day * step:.0f} {bottom}v-{tall:.1f}h{step - 1:.1f}v{tall:.1f}z"
        if outline:
            shapes.append(shape(outline, BLUE))
    return Drawing(width * len(figures), height, alt, tuple(shapes))


class Amount(NamedTuple):
    """One line of a bar chart: a filled part, an outlined part, and a text for each column."""

    label: str
    filled: float
    outlined: float
    words: tuple[str, ...]
    """A text for each heading."""


_LABEL, _BAR, _CELL, _HIGH = 160, 200, 76, 18
_LABEL_LETTERS = 21


def amounts(
    label: str, headings: Sequence[str], lines: Sequence[Amount], notes: Sequence[str], *, alt: str
) -> Drawing:
    """One bar per line, the longest at full width, with figures on its right and notes below."""
    most = max((each.filled + each.outlined for each in lines), default=0) or 1
    right = [_LABEL + _BAR + _CELL * (at + 1) for at in range(len(headings))]
    shapes = [letters(4, 12, label, size=11)]
    shapes += [letters(x, 12, each, anchor="end", size=11) for x, each in zip(right, headings, strict=True)]
    filled = outlined = ""
    for at, each in enumerate(lines, 1):
        top = _HIGH * at
        shapes.append(letters(4, top + 12, shortened(each.label, _LABEL_LETTERS)))
        shapes += [
            letters(x, top + 12, text, anchor="end") for x, text in zip(right, each.words, strict=True)
        ]
        width = round(_BAR * each.filled / most, 1)
        if each.filled:
            width = max(width, 1)
            filled += f"M{_LABEL} {top + 2}h{width:g}v11h-{width:g}z"
        more = round(_BAR * each.outlined / most, 1)
        if each.outlined:
            # With a hole in it: two crossing outlines.
            more = max(more, 3)
            outlined += (
                f"M{_LABEL + width:g} {top + 2}h{more:g}v11h-{more:g}zm1 1h{more - 2:g}v9h-{more - 2:g}z"
            )
    shapes += [shape(filled, BLUE), *([shape(outlined, BLUE)] if outlined else [])]
    below = _HIGH * (len(lines) + 1) + 12
    shapes += [letters(4, below + 15 * at, note, size=11) for at, note in enumerate(notes)]
    return Drawing(right[-1] + 8, below + 15 * len(notes) - 8, alt, tuple(shapes))


class Bar(NamedTuple):
    """One step on a Gantt chart, in seconds since the first one's start."""

    sign: str
    name: str
    start_s: float
    end_s: float
    colour: str
    words: str = ""


def gantt(bars: Sequence[Bar]) -> Markup:
    """One line per step: what it was, when it ran, for how long, and its result.

    A table with a gradient in each row: its text has the theme's colour, can be copied, and stays when images are removed.
    """
    first = min((bar.start_s for bar in bars), default=0.0)
    span_s = max(max((bar.end_s for bar in bars), default=0.0) - first, 0.001)
    return element(
        "table", *(_row(bar, first, span_s) for bar in bars), style="border:0;margin:4px 0;width:98%"
    )


def _row(bar: Bar, first: float, span_s: float) -> Markup:
    start = min(99.0, 100 * (bar.start_s - first) / span_s)
    end = min(100.0, max(start + 1, 100 * (bar.end_s - first) / span_s))
    shown = (
        f"height:12px;background:linear-gradient(90deg,transparent 0 {start:.1f}%,{bar.colour} {start:.1f}% "
        f"{end:.1f}%,transparent {end:.1f}%)"
    )
    cell = "padding:1px 0;border:0;white-space:nowrap;text-align:"
    return element(
        "tr",
        element("td", f"{bar.sign} {bar.name}", style=f"{cell}left;width:12em"),
        element("td", element("div", style=shown), style="padding:1px 0;border:0"),
        element("td", f"{bar.end_s - bar.start_s:.1f} s", style=f"{cell}right;width:5em"),
        element("td", bar.words, style=f"{cell}left;width:6em;padding-left:12px"),
        style="background:none",
    )
