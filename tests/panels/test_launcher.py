"""Cards in JupyterLab's launcher: from one press to the form of a runbook."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.panels.conftest import CHECKOUT, TOKEN, Lab, shoot


def launcher(lab: Lab) -> Page:
    page = lab.page(1400)
    page.goto(f"{lab.address}/lab/tree/{lab.folder.name}?reset&token={TOKEN}")
    expect(page.get_by_role("heading", name="ecr-widgets")).to_be_visible()
    return page


def test_a_card_opens_a_runbooks_form(quiet_lab: Lab) -> None:
    """The form is filled in and ready, in a notebook of its name in the folder that is open; pressed again, it is the same one."""
    page = launcher(quiet_lab)
    shoot(page, "launcher")
    card = page.locator(".jp-LauncherCard", has_text=re.compile("^Scale$"))
    expect(card).to_have_attribute("title", "Set the number of copies of a service")
    card.click()
    expect(page.get_by_role("button", name="Plan", exact=True)).to_be_visible()
    assert [each.name for each in quiet_lab.folder.glob("*.ipynb")] == ["scale-form.ipynb"]
    page.context.close()
    page = launcher(quiet_lab)
    page.locator(".jp-LauncherCard", has_text=re.compile("^Scale$")).click()
    expect(page.get_by_role("button", name="Plan", exact=True)).to_be_visible()
    assert [each.name for each in quiet_lab.folder.glob("*.ipynb")] == ["scale-form.ipynb"]
    assert quiet_lab.complaints == []


def test_every_card_is_a_runbooks(quiet_lab: Lab) -> None:
    """A card whose runbook is gone or renamed would open an error."""
    script = (CHECKOUT / "ecr_widgets/panels/launcher/launcher.js").read_text()
    names = re.findall(r"^\t\t(\w+): \[\"", script, re.MULTILINE)
    assert {*names} <= {path.stem for path in (CHECKOUT / "notebooks").glob("*.ipynb")}
    page = launcher(quiet_lab)
    section = page.locator(".jp-Launcher-section", has=page.get_by_role("heading", name="ecr-widgets"))
    expect(section.locator(".jp-LauncherCard")).to_have_count(len(names))
