"""Cards in JupyterLab's launcher: from one press to the form of a runbook."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.panels.conftest import CHECKOUT, TOKEN, Lab, shoot


def test_each_card_is_a_runbooks_and_opens_its_form(quiet_lab: Lab) -> None:
    """The form is filled in and ready, in a notebook of its name in the folder that is open; pressed again, it is the same one.
    A card whose runbook is gone or renamed would open an error.
    """
    script = (CHECKOUT / "ecr_widgets/panels/launcher/launcher.js").read_text()
    names = re.findall(r"^\t\t(\w+): \[\"", script, re.MULTILINE)
    assert {*names} <= {path.stem for path in (CHECKOUT / "notebooks").glob("*.ipynb")}
    page = quiet_lab.page(1400)
    page.goto(f"{quiet_lab.address}/lab/tree/{quiet_lab.folder.name}?reset&token={TOKEN}")
    section = page.locator(".jp-Launcher-section", has=page.get_by_role("heading", name="ecr-widgets"))
    expect(section.locator(".jp-LauncherCard")).to_have_count(len(names))
    shoot(page, "launcher")
    card = section.locator(".jp-LauncherCard", has_text=re.compile("^Scale$"))
    expect(card).to_have_attribute("title", "Set the number of copies of a service")
    card.click()
    expect(page.get_by_role("button", name="Plan", exact=True)).to_be_visible()
    page.get_by_title("New Launcher").locator("visible=true").first.click()
    card.click()
    expect(page.get_by_role("tab", name="scale-form.ipynb").first).to_be_visible()
    expect(page.get_by_role("button", name="Plan", exact=True)).to_be_visible()
    assert [each.name for each in quiet_lab.folder.glob("*.ipynb")] == ["scale-form.ipynb"]
    assert quiet_lab.complaints == []
