"""A panel's picture: harmless, bounded, the same facts in each form."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_widgets.model.record import PANEL_MIME
from ecr_widgets.panels.picture import (
    LARGEST_BUNDLE_BYTES,
    Part,
    Picture,
    bar,
    matches,
    matching,
    when,
)

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    '" onmouseover="alert(1)',
    "\x1b[31mred",
    "a\u202eb",
]


def picture(*cells: str, rows: int = 1) -> Picture:
    return Picture(
        "images", "Images of app", AT, ("tags", "digest"), tuple((*cells, "d")[:2] for _ in range(rows))
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_text_from_outside_does_nothing(text: str) -> None:
    """No tag, attribute, escape code or direction mark of it survives as such, in any field."""
    hostile = Picture("k", text, AT, (text,), ((text,),), note=text, problem=text)
    assert not any(each in hostile.to_html() for each in ("<img", "<script", '" on', "\x1b", "\u202e"))
    assert not any(each in hostile.to_text() for each in ("\x1b", "\u202e"))
    assert json.loads(hostile.to_json())["rows"] == [[text]]


@given(st.integers(0, 5000), st.integers(1, 3000))
def test_a_saved_picture_is_small_and_says_what_it_leaves_out(rows: int, length: int) -> None:
    """Whatever the number of rows and the length of their texts."""
    capped = picture("x" * length, rows=rows).capped()
    assert len(capped.rows) + capped.left_out == rows
    assert sum(len(form.encode()) for form in capped.bundle().values()) <= LARGEST_BUNDLE_BYTES
    assert (f"{capped.left_out} not shown" in capped.to_html()) == bool(capped.left_out)


def test_one_cell_of_a_megabyte_pushes_no_row_out() -> None:
    """A long cell is cut and says how long it was; the rows stay."""
    capped = picture("x" * 1_000_000, rows=3).capped()
    assert (len(capped.rows), capped.left_out) == (3, 0)
    assert "(1000000 characters)" in capped.to_html()


@pytest.mark.parametrize("field", ["title", "note", "problem", "status"])
def test_a_long_text_beside_the_rows_pushes_none_out(field: str) -> None:
    """It is cut and says how long it was; the cap holds."""
    words = {field: "<é>" * 20_000}
    capped = replace(picture("x", rows=5), **words).capped()  # type: ignore[arg-type]
    assert (len(capped.rows), capped.left_out) == (5, 0)
    assert "(60000 characters)" in capped.to_text()
    assert sum(len(form.encode()) for form in capped.bundle().values()) <= LARGEST_BUNDLE_BYTES


def test_all_forms_tell_the_same() -> None:
    """HTML, text and JSON each hold every cell; the JSON is one compact string."""
    forms = picture("1.10, latest").bundle()
    assert set(forms) == {PANEL_MIME, "text/html", "text/plain"}
    assert all("1.10, latest" in form and "2026-11-23T12:00:00" in form for form in forms.values())
    assert "\n" not in forms[PANEL_MIME]


def test_a_digest_is_cut_short_for_people_and_whole_in_the_data() -> None:
    """Also inside a reference; in HTML it opens by key or pointer, without JavaScript."""
    digest = f"sha256:{'ab' * 32}"
    shown = picture("x", f"host/app@{digest}")
    assert "sha256:abababababab…" in shown.to_text()
    assert digest not in shown.to_text()
    opened = f"<details><summary>host/app@sha256:abababababab…</summary>host/app@{digest}</details>"
    assert opened in shown.to_html()
    assert digest in shown.to_json()


def test_a_plan_names_its_digests_whole() -> None:
    """What is read as a sentence is not cut."""
    line = f"would expire: sha256:{'ab' * 32}"
    shown = replace(picture("x"), parts=(Part("Planned", (), ((line,),)),))
    assert line in shown.to_html()
    assert line in shown.to_text()


def test_a_plans_lines_have_signs() -> None:
    """Without colour too one sees what comes and what goes; a log line that begins alike has none."""
    lines = (("added /a: 1",), ("removed /b: 2",), ("changed /c: 1 → 2",), ("3 copies are wanted now",))
    parts = (Part("Planned: deploy 1.9 to demo/web", (), lines), Part("Last log lines", (), (("added x",),)))
    html = replace(picture("x"), parts=parts).to_html()
    signs = re.findall("<b>([^<]*) </b>([a-z]+)", html)
    assert signs == [("+", "added"), ("−", "removed"), ("~", "changed")]
    assert ">3 copies are wanted now<" in html


def test_what_belongs_to_a_row_is_filtered_with_it() -> None:
    """An index whose image has the words is shown with all that is below it, in its order."""
    rows = [("1", "x"), ("└ linux/arm64", "y"), ("└ linux/amd64", "z"), ("2", "w")]
    assert matching("AMD64", rows) == rows[:3]
    assert matching("2 w", rows) == rows[3:]
    assert matching("", rows) == rows


def test_only_a_live_panel_says_where_it_is_found() -> None:
    """Its JSON and its HTML name it; the picture of a scheduled run names nothing."""
    shown = replace(picture("x"), live="ecrw-1")
    assert json.loads(shown.to_json())["live"] == "ecrw-1"
    assert 'class="ecrw-1"' in shown.to_html()
    assert "live" not in json.loads(picture("x").to_json())
    assert "class=" not in picture("x").to_html()


def test_parts_are_capped_too() -> None:
    """A flood of log lines leaves room and is counted."""
    part = Part("Last log lines", (), tuple((f"{number} " + "x" * 2000,) for number in range(500)))
    capped = replace(picture("a", rows=3), parts=(part, part)).capped()
    assert sum(len(form.encode()) for form in capped.bundle().values()) <= LARGEST_BUNDLE_BYTES
    for shown in capped.parts:
        assert len(shown.rows) + shown.left_out == 500
        assert f"({shown.left_out} not shown)" in capped.to_html()


@pytest.mark.parametrize(
    ("count", "wanted", "shown"),
    [
        (3, 4, "███░"),
        (0, 2, "░░"),
        (2, 1, "██"),
        (0, 0, ""),
        (1, 1000, "█" + "░" * 19),
        (1000, 1000, "█" * 20),
    ],
)
def test_so_many_of_so_many_is_a_bar_of_text(count: int, wanted: int, shown: str) -> None:
    """A box a copy; scaled where it would be long, and one that runs is never nothing."""
    assert bar(count, wanted) == shown


def test_local_time_stands_beside_utc() -> None:
    """Where it is another; with the day where that differs."""
    berlin, honolulu = timezone(timedelta(hours=1), "CET"), timezone(timedelta(hours=-10), "HST")
    pushed = AT - timedelta(hours=3)
    assert when(pushed, AT.astimezone(berlin)) == "2026-11-23 09:00 UTC (10:00 CET, 3 h ago)"
    assert when(pushed, AT.astimezone(honolulu)) == "2026-11-23 09:00 UTC (2026-11-22 23:00 HST, 3 h ago)"


def test_the_time_of_a_picture_is_local_too() -> None:
    """Beside UTC, and only where it is another."""
    zone = timezone(timedelta(hours=1), "CET")
    shown = replace(picture("x"), at=AT.astimezone(zone)).to_text()
    assert "as of 2026-11-23T12:00:00.000Z (13:00 CET)" in shown
    assert "as of 2026-11-23T12:00:00.000Z\n" in picture("x").to_text()


def test_times_and_sizes_are_for_people() -> None:
    """UTC and how long ago."""
    assert when(AT - timedelta(hours=3), AT) == "2026-11-23 09:00 UTC (3 h ago)"


def test_a_filter_takes_words_in_any_order_and_case() -> None:
    """All of them must be there."""
    assert matches("APP te", ("team/app",))
    assert not matches("app nobody", ("team/app",))
    assert matches("", ("anything",))
