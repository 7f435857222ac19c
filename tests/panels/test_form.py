"""A runbook's form in a real browser: checked while it is typed, run by a button, readable in the saved file."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.panels.conftest import Lab, shoot
from tests.panels.looks import check, in_view, make_dark

OUTPUT = ".jp-OutputArea"


def test_a_runbook_is_planned_from_its_form(lab: Lab) -> None:
    """A bad value locks the buttons and says why; the command that does the same is copied by one press; the plan is a saved
    run; the form stays as a picture. At 900 px, in both themes, readable and with names for screen readers.
    """
    path = lab.write("form.ipynb", "from ecr_widgets import open_form\nopen_form('create_repository')")
    page = lab.open("form.ipynb", page=lab.page(900))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    lab.run_all(page)
    plan = page.get_by_role("button", name="Plan", exact=True)
    name = page.get_by_label("repository", exact=True)
    expect(name).to_be_visible()
    name.fill("team/by-form")
    days = page.get_by_label("untagged_days", exact=True)
    days.fill("-1")
    expect(plan).to_be_disabled()
    in_view(page.get_by_text("-1 is not 0 or more").first)
    check(page, OUTPUT)
    days.fill("0")
    expect(plan).to_be_enabled()
    page.get_by_role("button", name="Copy command").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("✓ copied")).to_be_visible()
    command = page.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(
        r"ecr-widgets run \S+/create_repository.ipynb --runs runs -p repository team/by-form", command
    )
    plan.click()
    told = page.get_by_text("would change: create_repository").first
    expect(told).to_be_visible(timeout=120_000)
    for name in ("Plan", "Run create_repository", "Cancel"):
        pressed = page.get_by_role("button", name=name, exact=True)
        assert pressed.evaluate("each => each.scrollWidth <= each.clientWidth"), name  # its words are whole
    assert page.locator(OUTPUT).evaluate("each => each.scrollWidth <= each.clientWidth")
    in_view(told)
    check(page, OUTPUT)
    shoot(page, "form")
    make_dark(page)
    check(page, OUTPUT)
    shoot(page, "form-dark")
    lab.save(page, path, "team/by-form")
    assert [*(lab.folder / "runs").glob("*-create_repository.plan.ipynb")]
    page = lab.open_untrusted(path)
    expect(page.get_by_text("team/by-form").first).to_be_visible()
    expect(page.get_by_role("button", name="Plan", exact=True)).to_have_count(0)
    assert lab.complaints == []
