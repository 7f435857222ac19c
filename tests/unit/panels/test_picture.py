"""A panel's picture: harmless, limited in size, with the same facts in each form."""

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
    """Tags, attributes, escape codes and direction marks in outside text are escaped in each field."""
    hostile = Picture("k", text, AT, (text,), ((text,),), note=text, problem=text)
    assert not any(each in hostile.to_html() for each in ("<img", "<script", '" on', "\x1b", "\u202e"))
    assert not any(each in hostile.to_text() for each in ("\x1b", "\u202e"))
    assert json.loads(hostile.to_json())["rows"] == [[text]]


@given(st.integers(0, 5000), st.integers(1, 3000))
def test_a_saved_picture_is_small_and_says_what_it_leaves_out(rows: int, length: int) -> None:
    """A saved picture is limited in size and shows how many rows are left out, for any number and length of rows."""
    capped = picture("x" * length, rows=rows).capped()
    assert len(capped.rows) + capped.left_out == rows
    assert sum(len(form.encode()) for form in capped.bundle().values()) <= LARGEST_BUNDLE_BYTES
    assert (f"{capped.left_out} not shown" in capped.to_html()) == bool(capped.left_out)


def test_one_cell_of_a_megabyte_pushes_no_row_out() -> None:
    """A very long cell is cut and shows its length; no row is left out for it."""
    capped = picture("x" * 1_000_000, rows=3).capped()
    assert (len(capped.rows), capped.left_out) == (3, 0)
    assert "(1000000 characters)" in capped.to_html()


@pytest.mark.parametrize("field", ["title", "note", "problem", "status"])
def test_a_long_text_beside_the_rows_pushes_none_out(field: str) -> None:
    """A very long title, note, problem or status is cut and shows its length; no row is left out for it."""
    words = {field: "<é>" * 20_000}
    capped = replace(picture("x", rows=5), **words).capped()  # type: ignore[arg-type]
    assert (len(capped.rows), capped.left_out) == (5, 0)
    assert "(60000 characters)" in capped.to_text()
    assert sum(len(form.encode()) for form in capped.bundle().values()) <= LARGEST_BUNDLE_BYTES


def test_all_forms_tell_the_same() -> None:
    """HTML, text and JSON contain each cell and the time, and the JSON is one line."""
    forms = picture("1.10, latest").bundle()
    assert set(forms) == {PANEL_MIME, "text/html", "text/plain"}
    assert all("1.10, latest" in form and "2026-11-23T12:00:00" in form for form in forms.values())
    assert "\n" not in forms[PANEL_MIME]


def test_a_digest_is_cut_short_for_people_and_whole_in_the_data() -> None:
    """A digest is shortened in text and in HTML, where it can be expanded, and whole in the JSON."""
    digest = f"sha256:{'ab' * 32}"
    shown = picture("x", f"host/app@{digest}")
    assert "sha256:abababababab…" in shown.to_text()
    assert digest not in shown.to_text()
    opened = f"<details><summary>host/app@sha256:abababababab…</summary>host/app@{digest}</details>"
    assert opened in shown.to_html()
    assert digest in shown.to_json()


def test_a_plan_names_its_digests_whole() -> None:
    """A plan's lines contain whole digests."""
    line = f"would expire: sha256:{'ab' * 32}"
    shown = replace(picture("x"), parts=(Part("Planned", (), ((line,),)),))
    assert line in shown.to_html()
    assert line in shown.to_text()


def test_a_plans_lines_have_signs() -> None:
    """A plan's lines have signs for added, removed and changed; log lines have none."""
    lines = (("added /a: 1",), ("removed /b: 2",), ("changed /c: 1 → 2",), ("3 copies are wanted now",))
    parts = (Part("Planned: deploy 1.9 to demo/web", (), lines), Part("Last log lines", (), (("added x",),)))
    html = replace(picture("x"), parts=parts).to_html()
    signs = re.findall("<b>([^<]*) </b>([a-z]+)", html)
    assert signs == [("+", "added"), ("−", "removed"), ("~", "changed")]
    assert ">3 copies are wanted now<" in html


def test_what_belongs_to_a_row_is_filtered_with_it() -> None:
    """A filter shows an index and all images below it if any of them matches."""
    rows = [("1", "x"), ("└ linux/arm64", "y"), ("└ linux/amd64", "z"), ("2", "w")]
    assert matching("AMD64", rows) == rows[:3]
    assert matching("2 w", rows) == rows[3:]
    assert matching("", rows) == rows


def test_only_a_live_panel_says_where_it_is_found() -> None:
    """Only a live panel's JSON and HTML have its id."""
    shown = replace(picture("x"), live="ecrw-1")
    assert json.loads(shown.to_json())["live"] == "ecrw-1"
    assert 'class="ecrw-1"' in shown.to_html()
    assert "live" not in json.loads(picture("x").to_json())
    assert "class=" not in picture("x").to_html()


def test_parts_are_capped_too() -> None:
    """Tables below the picture are limited, too, and show how many rows are left out."""
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
    """A bar has one box per copy, is scaled to 20 boxes, and has at least one full box if a copy runs."""
    assert bar(count, wanted) == shown


def test_local_time_stands_beside_utc() -> None:
    """Local time is shown beside UTC, with the date if it differs."""
    berlin, honolulu = timezone(timedelta(hours=1), "CET"), timezone(timedelta(hours=-10), "HST")
    pushed = AT - timedelta(hours=3)
    assert when(pushed, AT.astimezone(berlin)) == "2026-11-23 09:00 UTC (10:00 CET, 3 h ago)"
    assert when(pushed, AT.astimezone(honolulu)) == "2026-11-23 09:00 UTC (2026-11-22 23:00 HST, 3 h ago)"


def test_the_time_of_a_picture_is_local_too() -> None:
    """A picture's time is shown in UTC, and in local time if that differs."""
    zone = timezone(timedelta(hours=1), "CET")
    shown = replace(picture("x"), at=AT.astimezone(zone)).to_text()
    assert "as of 2026-11-23T12:00:00.000Z (13:00 CET)" in shown
    assert "as of 2026-11-23T12:00:00.000Z\n" in picture("x").to_text()


def test_times_and_sizes_are_for_people() -> None:
    """A time is shown in UTC with its age."""
    assert when(AT - timedelta(hours=3), AT) == "2026-11-23 09:00 UTC (3 h ago)"


def test_a_filter_takes_words_in_any_order_and_case() -> None:
    """A filter matches if all its words occur, in any order and case."""
    assert matches("APP te", ("team/app",))
    assert not matches("app nobody", ("team/app",))
    assert matches("", ("anything",))
