"""Plots as SVG: escaped, readable without colour, and self-contained."""

from __future__ import annotations

from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest

from ecr_widgets.model.drawing import (
    BLUE,
    GREY,
    Bar,
    Drawing,
    Figure,
    Series,
    gantt,
    letters,
    share,
    stacked,
    tiles,
)

HOSTILE = "\"'><script>alert(1)</script>\u202e&#x27;"


def parsed(drawing: Drawing) -> ET.Element:
    """Parse the image in the data URI as a browser does."""
    kind, _, content = drawing.source.partition(",")
    assert kind == "data:image/svg+xml"
    assert not set(drawing.source) & set('"<>#')
    return ET.fromstring(unquote(content))


def test_texts_from_outside_stay_texts() -> None:
    """Markup in a text is escaped in the SVG and in the image's attributes."""
    drawing = Drawing(10, 10, HOSTILE, (letters(0, 0, HOSTILE),))
    names = {each.tag.rpartition("}")[2] for each in parsed(drawing).iter()}
    assert names == {"svg", "text"}
    assert "<script" not in drawing.to_svg() + drawing.to_image()
    assert "\\u202e" in drawing.to_svg()
    assert drawing.to_image().count('"') == 6


@pytest.mark.parametrize(
    "drawing",
    [
        tiles((Figure("1.0", "deploys", (None, 0.0, 2.0)), Figure("–", "nothing", ())), alt="x"),
        stacked(
            (0.0, 1.0, 2.0),
            (Series("old", (2, 1, 0), GREY), Series("new", (0, 1, 2), BLUE)),
            wanted=2,
            alt="x",
        ),
        stacked((0.0,), (Series("one", (0,), GREY),), alt="x"),
        share(0.3, alt="x"),
        share(7, alt="x"),
        share(-1, alt="x"),
    ],
)
def test_every_plot_is_a_picture_with_a_description(drawing: Drawing) -> None:
    """Every plot is well-formed SVG with a description, and has no event handlers or links."""
    root = parsed(drawing)
    assert 'alt="x"' in drawing.to_image()
    assert 'aria-label="x"' in drawing.to_svg()
    assert not [
        name for each in root.iter() for name in each.attrib if name.startswith("on") or "href" in name
    ]


def test_layers_are_told_apart_without_colour() -> None:
    """Layers differ without colour: the older one is dashed, and both are in the legend."""
    drawing = stacked((0.0, 1.0), (Series("old", (1, 0), GREY), Series("new", (0, 1), BLUE)), alt="x")
    first, second = [each for each in parsed(drawing).iter() if each.tag.endswith("polygon")]
    assert first.get("stroke-dasharray")
    assert not second.get("stroke-dasharray")
    assert {"▨ old", "■ new"} <= {each.text for each in parsed(drawing).iter() if each.text}


def test_a_gantt_chart_says_each_step_in_words_too() -> None:
    """A Gantt chart has each step's sign, name and seconds as text, and a bar of visible width."""
    made = gantt((Bar("✓", "login", 0, 1, BLUE, "changed"), Bar("✗", HOSTILE, 1, 1, BLUE, "failed")))
    assert "✓ login" in made
    assert "1.0 s" in made
    assert "transparent 99.0%" not in made.partition("99.0%")[0]
    assert "<script" not in made
