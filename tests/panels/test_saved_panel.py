"""Panels in saved files: with nothing running, with a kernel that knows nothing of them, and from earlier versions."""

from __future__ import annotations

import json
from typing import Any

import nbformat
from playwright.sync_api import expect

from ecr_widgets.model.record import PANEL_MIME
from ecr_widgets.panels.picture import LARGEST_BUNDLE_BYTES
from tests.fakes import digest_of
from tests.panels.conftest import Lab
from tests.panels.looks import check, in_view, make_dark

HOSTILE = (
    "<img src=http://127.0.0.1:9/x onerror=alert(1)>", "\x1b[31mred", "a\u202etxt.exe", "\0\u200b", "x" * 100_000,
    "javascript:alert(1)", "</td></table><script>alert(2)</script>", "__proto__", "constructor",
)  # fmt: skip


def panel_json(rows: list[list[Any]], **more: Any) -> dict[str, Any]:
    """As version 1 saved it."""
    return {
        "version": 1,
        "panel": "images",
        "title": "Images of team/app",
        "at": "2026-11-23T12:00:00.000Z",
        "columns": ["tags", "digest", "size", "pushed"],
        "rows": rows,
        "left_out": 0,
        "skipped": 0,
        "note": f"{len(rows)} in all",
        "problem": "",
        "status": "",
        "parts": [{"title": "Last log lines", "columns": [], "rows": [["started"]], "left_out": 0}],
        **more,
    }


def image_rows(count: int) -> list[list[Any]]:
    sizes = ("950 B", "1.5 kB", "66.1 MB")
    return [
        [f"1.{n}", digest_of(f"{n}"), sizes[n % 3], f"2026-11-{n % 28 + 1:02} 09:00 UTC ({n} d ago)"]
        for n in range(count)
    ]


def write(lab: Lab, *panels: Any) -> None:
    """A notebook that nobody trusts, with these panels in it, a cell for each."""
    forms = {"text/html": "<p>the picture</p>", "text/plain": "the picture"}
    outputs = [
        nbformat.v4.new_output("display_data", {PANEL_MIME: json.dumps(each), **forms}) for each in panels
    ]
    book = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("1/0", outputs=[each]) for each in outputs]
    )
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, lab.folder / "saved.ipynb")


def test_a_file_of_version_1_is_filtered_sorted_and_copied_with_nothing_running(quiet_lab: Lab) -> None:
    """Untrusted, without a kernel, under a strict content security policy, in both themes."""
    write(quiet_lab, panel_json(image_rows(30)))
    page = quiet_lab.page(900)
    quiet_lab.open("saved.ipynb", page=page)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    expect(page.get_by_text("1–12 of 30")).to_be_visible()
    expect(page.get_by_text("the picture")).to_have_count(0)
    expect(
        page.get_by_text("2026-11-01 09:00").first
    ).to_be_visible()  # not how long ago it was when it was saved
    box = page.get_by_role("searchbox", name="Filter rows")
    box.click()
    expect(box).to_be_focused()
    box.press_sequentially("1.2")
    expect(page.locator(".ecrw > .scroll tbody tr")).to_have_count(11)
    expect(box).to_be_focused()
    sizes = page.get_by_role("columnheader", name="size").get_by_role("button")
    for first in ("950 B", "66.1 MB"):
        sizes.click()
        expect(page.locator(".ecrw > .scroll tbody tr").first).to_contain_text(first)
    page.get_by_role("button", name="1.29", exact=True).click()
    copy = page.locator(".drawer").get_by_role("button", name="Copy digest")
    in_view(copy)
    copy.click()
    expect(page.get_by_text("✓ copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == digest_of("29")
    expect(page.get_by_role("button", name="Refresh")).to_have_count(0)
    check(page)
    make_dark(page)
    check(page)
    assert quiet_lab.complaints == []


def test_hostile_cells_do_nothing(quiet_lab: Lab) -> None:
    """No dialog, no request, nothing turned around or hidden; the page keeps its shape."""
    rows = [[one, other, "1 B", one] for one in HOSTILE for other in HOSTILE[:3]]
    hostile = HOSTILE[0] + HOSTILE[2]
    write(
        quiet_lab,
        panel_json(
            rows,
            title=hostile,
            note=hostile,
            problem=hostile,
            status=hostile,
            columns=[hostile, "b", "size", "c"],
        ),
    )
    page = quiet_lab.page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    quiet_lab.open("saved.ipynb", kernel=False, page=page)
    card = page.locator(".ecrw")
    expect(card).to_be_visible()
    for number in range(0, 12, 3):
        card.locator(".row").nth(number).click()
        text = card.inner_text()
        assert not set("\x1b\u202e\0\u200b") & set(text)
        assert "\\u{202e}" in text
        assert len(text) < 30_000
        expect(card.locator("img, script, iframe, a")).to_have_count(0)
    assert card.evaluate("card => card.scrollWidth <= card.clientWidth + 1")
    assert not [each for each in asked if "127.0.0.1:9/" in each]
    assert quiet_lab.complaints == []


def test_what_is_no_panel_breaks_nothing(quiet_lab: Lab) -> None:
    """Any JSON under our type: something is shown, and the rest of the notebook too."""
    odd = (None, 7, [], {"rows": 7, "columns": "x"}, {"columns": [1], "rows": [[{"a": 1}], "row", None]})
    write(quiet_lab, *odd, panel_json(image_rows(1)))
    page = quiet_lab.open("saved.ipynb", kernel=False)
    expect(page.locator(".ecrw")).to_have_count(len(odd) + 1)
    expect(page.get_by_role("button", name="1.0", exact=True)).to_be_visible()
    assert quiet_lab.complaints == []


def test_a_panel_survives_a_reload_and_says_when_its_kernel_is_gone(quiet_lab: Lab) -> None:
    """Loaded again, it works with the same kernel; after a restart, whoever asked for it, a button runs the cell."""
    path = quiet_lab.write("panel.ipynb", "from tests.panels.world import kit\nkit().images('team/app')")
    page = quiet_lab.open("panel.ipynb")
    quiet_lab.run_all(page)
    refresh = page.get_by_role("button", name="Refresh", exact=True)
    expect(refresh).to_be_visible()
    saved = quiet_lab.save(page, path, "40 in all")
    assert (
        sum(len("".join(form)) for form in saved["cells"][0]["outputs"][0]["data"].values())
        < LARGEST_BUNDLE_BYTES
    )
    assert "jupyter.widget-view" not in json.dumps(saved)
    quiet_lab.open("panel.ipynb", page=page, reload=True)
    expect(refresh).to_be_visible()
    page.get_by_role("button", name="1.38", exact=True).click()
    expect(page.get_by_role("button", name="Set tag …")).to_be_visible()
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_text("Restart Kernel…", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Confirm Kernel Restart").click()
    again = page.get_by_role("button", name="Run the cell")
    in_view(again)
    expect(page.get_by_role("button", name="Set tag …")).to_have_count(0)
    page.get_by_role("searchbox", name="Filter rows").fill("1.7")
    expect(page.locator(".ecrw > .scroll tbody tr")).to_have_count(1)
    again.click()
    expect(refresh).to_be_visible()
    expect(again).to_have_count(0)
    (session,) = quiet_lab.sessions(path.name)  # a kernel of another test may be ending still
    quiet_lab.ask(f"kernels/{session['kernel']['id']}/restart", "POST")
    page.get_by_role("button", name="1.38", exact=True).click()
    in_view(again)
    assert quiet_lab.complaints == []


def test_a_busy_kernel_is_said(quiet_lab: Lab) -> None:
    """Where the panel was opened, until it answers."""
    quiet_lab.write(
        "panel.ipynb",
        "from tests.panels.world import kit\nkit().images('team/app')",
        "import pathlib, time\nwhile not pathlib.Path('go').exists(): time.sleep(0.1)",
    )
    page = quiet_lab.open("panel.ipynb")
    page.get_by_text("kit().images").click()
    page.keyboard.press("Shift+Enter")
    expect(page.get_by_role("button", name="Refresh", exact=True)).to_be_visible()
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".jp-InputPrompt", has_text="[*]:")).to_be_visible()
    page.get_by_role("button", name="1.38", exact=True).click()
    said = page.get_by_text("waiting for the kernel …")
    told = page.get_by_role("button", name="Set tag …")
    expect(said.or_(told).first).to_be_visible()
    (quiet_lab.folder / "go").touch()
    expect(told).to_be_visible()
    expect(said).to_have_count(0)
    assert quiet_lab.complaints == []
