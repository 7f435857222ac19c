"""Saved runs as file browsers open them: the verdict before anything else."""

from __future__ import annotations

import pytest

from ecr_widgets.saved_runs.summary import put_summary
from tests.audit.runs import save
from tests.panels.conftest import Lab
from tests.panels.looks import in_view, make_dark
from tests.unit.saved_runs.test_summary import run_of

VERDICTS = {
    "proven": ("✓ succeeded", "demo/timeoutsvc runs deploy"),
    "failed": ("✗ left down", "ecr-widgets rollback demo timeoutsvc"),
    "interrupted": ("◐ interrupted", "ecr-widgets run --resume"),
    "killed": ("▶ running", "running since"),
}
"""Of each kind of run the verdict, and what stands now or is next."""


@pytest.mark.parametrize(("app", "width", "dark"), [("doc/tree", 900, True), ("notebooks", 1400, False)])
def test_any_saved_run_opens_on_its_verdict(quiet_lab: Lab, app: str, width: int, *, dark: bool) -> None:
    """Untrusted and without a kernel: how it ended, by whom, and what stands now are in view with nothing scrolled."""
    page = quiet_lab.page(width)
    for kind, words in VERDICTS.items():
        run = run_of(kind, actor="ann")
        put_summary(run)
        path = save(quiet_lab.folder, kind, notebook=run)
        quiet_lab.open(path.name, kernel=False, page=page, app=app)
        if dark and kind == "proven":
            make_dark(page)
        summary = page.locator(".jp-MarkdownOutput").first
        for text in (*words, "ann on"):
            in_view(summary.get_by_text(text).first)
    assert quiet_lab.complaints == []
