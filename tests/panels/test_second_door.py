"""A front end without the extension: the widget draws the same panel."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.panels.conftest import Lab, new_page, shoot
from tests.panels.looks import check, in_view, make_dark

NOTHING = """
(window._JUPYTERLAB ??= {})["ecr-widgets"] = { init: () => {}, get: async () => () => ({ __esModule: true, default: [] }) };
"""
"""In the place of our extension, one without a plugin."""


def test_a_front_end_without_the_extension_gets_the_widget(quiet_lab: Lab) -> None:
    """By itself, in place of the picture; what is done through it is done; the saved file has the picture and no state. It can
    be read and used at 900 px and in both themes.
    """
    path = quiet_lab.write("door.ipynb", "from tests.panels.world import kit\nkit().images('team/app')")
    # Widgets bring their module along, which a strict policy forbids.
    with quiet_lab.listening(new_page(quiet_lab.window.browser, lax=True)) as page:
        page.set_viewport_size({"width": 900, "height": 900})
        page.route("**/ecr-widgets/static/extension.js*", lambda route: route.fulfill(body=NOTHING))
        quiet_lab.open("door.ipynb", page=page)
        quiet_lab.run_all(page)
        expect(page.locator(".jp-RenderedHTML").get_by_text("Images of team/app")).to_be_visible()
        expect(page.get_by_role("button", name="Refresh", exact=True)).to_be_visible()
        expect(page.locator(".jp-RenderedHTML").get_by_text("Images of team/app")).to_be_hidden()
        page.get_by_role("searchbox", name="Filter rows").press_sequentially("1.38")
        page.get_by_role("button", name="1.38", exact=True).click()
        page.get_by_role("button", name="Set tag …").click()
        page.get_by_label("New tag").fill("stable")
        page.get_by_role("button", name="Set tag", exact=True).click()
        in_view(page.get_by_text("✓ tag team/app 1.38 as stable: done"))
        check(page)
        make_dark(page)
        check(page)
        shoot(page, "second-door")
        saved = quiet_lab.save(page, path, "tag_image succeeded")
        assert "widgets" not in saved["metadata"]
        assert "1.38, stable" in "".join(saved["cells"][0]["outputs"][0]["data"]["text/html"])
        assert quiet_lab.complaints == []
