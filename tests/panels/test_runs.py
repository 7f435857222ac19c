"""The audit's panel in a real browser: filter, compare, and the saved file with nothing running."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.audit.runs import KINDS, save
from tests.panels.conftest import Lab, shoot
from tests.panels.looks import in_view


def test_runs_are_filtered_and_compared(lab: Lab) -> None:
    """Typed and clicked; what was seen is in the saved notebook, which shows it without a kernel and untrusted."""
    for kind in KINDS:
        save(lab.folder / "runs", kind)
    path = lab.write(
        "audit.ipynb",
        "from ecr_widgets import open_runs\nruns = open_runs('runs')",
        "runs.timeline()",
        "runs.panel()",
    )
    page = lab.open("audit.ipynb")
    lab.run_all(page)
    expect(page.get_by_role("cell", name="demo/timeoutsvc", exact=True).first).to_be_visible()
    panel = page.locator(".ecrw").nth(1)
    panel.get_by_role("searchbox", name="Filter rows").fill("failed")
    expect(panel.get_by_role("button", name="✗ left down", exact=True).first).to_be_visible()
    expect(panel.get_by_role("img", name=re.compile("deploys a week"))).to_be_visible()
    panel.locator(".row").first.click()
    panel.get_by_role("button", name="Compare …").click()
    panel.get_by_role("button", name="Show differences").click()
    in_view(panel.get_by_text("differences, shown below"))
    shoot(page, "audit")
    lab.save(page, path, f"of {len(KINDS)} for 'failed'")
    page = lab.open_untrusted(path)
    expect(page.get_by_text(re.compile(r"\d+ differences")).first).to_be_visible()
    expect(page.get_by_text("Runs in runs").first).to_be_visible()
    assert "VBox(" not in page.content()
    assert lab.complaints == []
