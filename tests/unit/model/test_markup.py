"""HTML whose texts are escaped by construction."""

from __future__ import annotations

import pytest

from ecr_widgets.model.markup import Markup, element, escaped


@pytest.mark.parametrize("text", ["<img src=x onerror=alert(1)>", "a&b", "\u202e", "\x1b[31m"])
def test_a_text_stays_text(text: str) -> None:
    """Tags, entities, escape codes and direction marks in a text are escaped."""
    for shown in (element("td", text), escaped(text)):
        assert text not in shown


def test_a_style_stays_within_its_attribute() -> None:
    """A quote in a style is escaped and cannot end the attribute."""
    assert element("td", style='"><img') == '<td style="&quot;&gt;&lt;img"></td>'


def test_elements_go_into_each_other_as_they_are() -> None:
    """An element inside another is not escaped again, and a line break in a text becomes <br>."""
    shown = element("div", element("b", "<"), "1\n2", style="margin:0")
    assert shown == '<div style="margin:0"><b>&lt;</b>1<br>2</div>'


def test_what_is_made_of_markup_by_hand_is_escaped() -> None:
    """Markup combined with a plain string becomes a plain string, which is escaped again."""
    assert element("td", Markup("<b>") + "<i>") == "<td>&lt;b&gt;&lt;i&gt;</td>"
