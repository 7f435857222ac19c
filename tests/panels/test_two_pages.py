"""One notebook, open in two pages that share its kernel."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.panels.conftest import Lab, new_page


def test_two_pages_work_on_one_panel(quiet_lab: Lab) -> None:
    """Each keeps the row that it opened and what can be done with it; what both confirm is done once; one that closes leaves
    the other at work.
    """
    path = quiet_lab.write("both.ipynb", "from tests.panels.world import kit\nkit().images('team/app')")
    one = quiet_lab.open("both.ipynb")
    quiet_lab.run_all(one)
    expect(one.get_by_role("button", name="Refresh", exact=True)).to_be_visible()
    quiet_lab.save(one, path, "40 in all")
    two = new_page(quiet_lab.window.browser)
    with quiet_lab.listening(two):
        quiet_lab.open("both.ipynb", page=two)
        one.get_by_role("button", name="1.38", exact=True).click()
        one.get_by_role("button", name="Set tag …").click()
        two.get_by_role("button", name="1.37", exact=True).click()
        two.get_by_role("button", name="Set tag …").click()
        expect(one.get_by_role("button", name="Set tag …")).to_be_visible()
        expect(one.get_by_text("docker pull")).to_be_visible()
        one.get_by_label("New tag").fill("1.39")
        one.get_by_role("button", name="Set tag", exact=True).click()
        one_confirms, two_confirms = (
            page.get_by_role("button", name="Confirm: tag team/app 1.38 as 1.39") for page in (one, two)
        )
        two_confirms.hover()
        two.mouse.down()  # what is pressed stays until it is let go
        one_confirms.click()
        expect(one.get_by_text("tag team/app 1.38 as 1.39: done")).to_be_visible()
        two.mouse.up()
        for page in (one, two):
            expect(page.get_by_text("tag team/app 1.38 as 1.39: done")).to_be_visible()
            expect(page.get_by_text("that was not offered")).to_be_visible()
    two.context.close()
    one.get_by_role("button", name="Refresh", exact=True).click()
    one.get_by_role("button", name="1.36", exact=True).click()
    expect(one.get_by_role("button", name="Set tag …")).to_be_visible()
    assert quiet_lab.complaints == []
