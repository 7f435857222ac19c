"""The drawing of panels in JupyterLab and Notebook 7: worked with by pointer and by key, in view, readable."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.panels.conftest import Lab, shoot
from tests.panels.looks import check, in_view, make_dark

IMAGES = "from tests.panels.world import kit\nkit = kit()\nkit.images('team/app')"


def opened(lab: Lab, *sources: str, width: int = 1400, app: str = "doc/tree") -> Page:
    lab.write("panel.ipynb", *sources)
    page = lab.open("panel.ipynb", page=lab.page(width), app=app)
    lab.run_all(page)
    expect(page.get_by_role("button", name="Refresh", exact=True).first).to_be_visible()
    return page


@pytest.mark.parametrize(("app", "width", "then"), [("doc/tree", 900, 1400), ("notebooks", 1400, 900)])
def test_an_image_is_found_and_worked_on(quiet_lab: Lab, app: str, width: int, then: int) -> None:
    """Filter, row, form, plan, confirmation, result, refusal: each where the action was taken, and in view, whatever the theme
    and the width.
    """
    page = opened(quiet_lab, IMAGES, width=width, app=app)
    box = page.get_by_role("searchbox", name="Filter rows")
    in_view(box)
    box.click()
    box.press_sequentially("1.3", delay=20)
    expect(page.locator(".ecrw tbody tr")).to_have_count(11)  # 1.3 and 1.30 to 1.39
    expect(box).to_be_focused()
    page.get_by_role("button", name="1.38", exact=True).click()
    in_view(page.get_by_role("button", name="Delete …"))
    page.get_by_role("button", name="Set tag …").click()
    field = page.get_by_label("New tag")
    in_view(field)
    expect(field).to_be_focused()
    field.fill("sta ble")
    in_view(page.get_by_role("alert"))
    set_tag = page.get_by_role("button", name="Set tag", exact=True)
    expect(set_tag).to_be_disabled()
    field.fill("1.39")
    expect(set_tag).to_be_enabled()
    set_tag.click()
    confirm = page.get_by_role("button", name="Confirm: tag team/app 1.38 as 1.39")
    in_view(confirm)
    in_view(page.get_by_text("the tag would move: sha256:"))
    check(page)
    make_dark(page)
    page.set_viewport_size({"width": then, "height": 900})
    in_view(confirm)
    check(page)
    shoot(page, f"plan-{app.replace('/', '-')}")
    confirm.click()
    in_view(page.get_by_text("✓ tag team/app 1.38 as 1.39: done"))
    expect(page.get_by_role("button", name="1.38, 1.39", exact=True)).to_be_visible()
    page.get_by_role("button", name="Delete …").click()
    page.get_by_label("To delete it").fill("team/ap")
    in_view(page.get_by_text("that is not team/app"))
    page.get_by_label("To delete it").fill("team/app")
    page.get_by_role("button", name="Delete", exact=True).click()
    in_view(page.get_by_text("delete team/app sha256:").first)
    expect(page.get_by_role("button", name="1.38, 1.39", exact=True)).to_have_count(0)
    check(page)
    assert quiet_lab.complaints == []


def test_everything_is_there_for_the_keyboard(quiet_lab: Lab) -> None:
    """To the filter, down the rows, into a drawer, through a form, to the plan and back; the notebook's own keys stay quiet."""
    page = opened(quiet_lab, IMAGES)
    cells = page.locator(".jp-Cell").count()
    press = page.keyboard.press
    page.get_by_role("button", name="Refresh", exact=True).focus()
    press("/")
    expect(page.get_by_role("searchbox", name="Filter rows")).to_be_focused()
    page.keyboard.type("1.2")
    press("ArrowDown")
    expect(page.get_by_role("button", name="1.29", exact=True)).to_be_focused()
    for key, name in (("ArrowDown", "1.28"), ("End", "1.2"), ("Home", "1.29"), ("ArrowDown", "1.28")):
        press(key)
        expect(page.get_by_role("button", name=name, exact=True)).to_be_focused()
    press("Enter")
    expect(page.get_by_role("button", name="1.28", exact=True)).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_role("button", name="1.28", exact=True)).to_be_focused()
    opener = page.get_by_role("button", name="Set tag …")
    expect(opener).to_be_visible()
    for _ in range(20):
        press("Tab")
        # Asked of the page, since a redraw may replace the button meanwhile.
        if page.evaluate("document.activeElement.textContent") == "Set tag …":
            break
    expect(opener).to_be_focused()
    press("Enter")
    expect(page.get_by_label("New tag")).to_be_focused()
    page.keyboard.type("1.39")
    expect(page.get_by_role("button", name="Set tag", exact=True)).to_be_enabled()
    press("Enter")
    confirm = page.get_by_role("button", name=re.compile("^Confirm: "))
    expect(confirm).to_be_visible()
    confirm.focus()
    press("Tab")
    press("Space")
    expect(confirm).to_have_count(0)
    press("Escape")
    expect(page.get_by_label("New tag")).to_have_count(0)
    expect(opener).to_be_focused()
    press("Escape")
    expect(opener).to_have_count(0)
    expect(page.get_by_role("button", name="1.28", exact=True)).to_be_focused()
    press("Escape")
    expect(page.get_by_text("1–12 of 40")).to_be_visible()
    for key in ("d", "d", "a", "b", "x"):  # would delete and add cells
        press(key)
    expect(page.locator(".jp-Cell")).to_have_count(cells)
    assert quiet_lab.complaints == []


def test_rows_are_sorted_and_leafed_through(quiet_lab: Lab) -> None:
    """Numbers as people count; the focus stays on what was pressed."""
    page = opened(quiet_lab, IMAGES)
    first = page.locator(".ecrw tbody tr").first
    tags = page.get_by_role("columnheader", name="tags").get_by_role("button")
    for order, name in (("ascending", "1.0"), ("descending", "1.39")):
        tags.click()
        expect(page.get_by_role("columnheader", name="tags")).to_have_attribute("aria-sort", order)
        expect(first).to_contain_text(name)
        expect(tags).to_be_focused()
    page.get_by_role("button", name="Next rows").click()
    expect(page.get_by_text("13–24 of 40")).to_be_visible()
    expect(first).to_contain_text("1.27")
    expect(page.get_by_role("button", name="Next rows")).to_be_focused()
    page.get_by_role("button", name="Previous rows").click()
    expect(page.get_by_text("1–12 of 40")).to_be_visible()
    assert quiet_lab.complaints == []


def test_ten_thousand_images_are_filtered_as_one_types(quiet_lab: Lab) -> None:
    """All of them, not only the hundred that are saved; the page stays small."""
    page = opened(quiet_lab, IMAGES.replace("kit()", "kit(10_000)"))
    expect(page.get_by_text("1–12 of 10000")).to_be_visible()
    box = page.get_by_role("searchbox", name="Filter rows")
    box.press_sequentially("1.7777", delay=10)
    expect(page.get_by_role("button", name="1.7777", exact=True)).to_be_visible()
    expect(box).to_be_focused()
    expect(page.locator(".ecrw tbody tr")).to_have_count(1)
    page.get_by_role("button", name="1.7777", exact=True).click()
    expect(page.get_by_role("button", name="Set tag …")).to_be_visible()
    saved = quiet_lab.save(page, quiet_lab.folder / "panel.ipynb", "1 of 10000 for '1.7777'")
    assert len(str(saved["cells"][0]["outputs"])) < 50_000
    assert quiet_lab.complaints == []
