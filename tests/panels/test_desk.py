"""A newcomer's first release, by what is on screen."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from ecr_widgets.runbooks import shipped_folder
from ecr_widgets.sandbox import Sandbox
from tests.conftest import outside_of
from tests.panels.conftest import BIN, TOKEN, Lab, Window, serving, shoot


@pytest.fixture
def desk_lab(window: Window, sandbox: Sandbox, tmp_path: Path) -> Iterator[Lab]:
    """What `make lab` starts, in a folder of this test; `folder` is the desk."""
    command = (
        str(BIN / "ecr-widgets"), "lab", "desk", "--no-browser", "--ServerApp.ip=127.0.0.1",
    )  # fmt: skip
    with (
        serving(tmp_path, outside_of(sandbox, tmp_path), command=command) as (port, _),
        window.network.published(port),
    ):
        made = Lab(f"http://127.0.0.1:{port}", tmp_path / "desk", window)
        with made.listening(window.page):
            yield made


def shipped() -> dict[Path, str]:
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in shipped_folder().rglob("*")
        if path.is_file()
    }


def press_run(page: Page) -> None:
    """The ▶ of the notebook that is in front."""
    page.get_by_role("button", name=re.compile("^Run this cell")).locator("visible=true").click()


def test_a_newcomer_releases_from_the_start_page(desk_lab: Lab) -> None:
    """From the address that was printed to a verified service: a link, ▶, Run; nothing was read before, nothing is written
    into the shipped folder, and nobody is asked about news.
    """
    before = shipped()
    page = desk_lab.page(1400)
    page.goto(f"{desk_lab.address}/?token={TOKEN}")
    shown = page.locator(".jp-OutputArea-output", has_text="Waiting for approval")
    expect(shown).to_be_visible()
    for text in ("✓ ECR registry", "no runs yet", "nothing waits", "press ▶ in its toolbar"):
        expect(shown.get_by_text(text).first).to_be_visible()
    shoot(page, "desk")
    shown.get_by_role("link", name="Release an image", exact=True).click()
    expect(page.get_by_text("Press ▶ above, or Shift+Enter").first).to_be_visible()
    desk_lab._until(lambda: any(each["path"] == "forms/release.ipynb" for each in desk_lab.ask("sessions")))
    press_run(page)
    form = page.locator(".jp-OutputArea", has=page.get_by_role("button", name="Plan"))
    expect(form.first).to_be_visible()
    form.get_by_role("button", name=re.compile("^Run")).first.click()
    expect(form.get_by_text(re.compile("succeeded")).first).to_be_visible(timeout=180_000)
    (saved,) = (desk_lab.folder / "runs").glob("*-release.ipynb")
    shoot(page, "desk-form")
    page.get_by_role("tab", name=re.compile("START")).first.click()
    press_run(page)
    expect(shown.get_by_role("link", name="release", exact=True)).to_have_count(2)
    expect(shown.get_by_text("demo/timeoutsvc").first).to_be_visible()
    shoot(page, "desk-after")
    assert page.get_by_text("Jupyter news").count() == 0
    shown.get_by_role("link", name="release", exact=True).first.click()
    expect(page.get_by_role("tab", name=re.compile(re.escape(saved.name[:15])))).to_be_visible()
    assert shipped() == before
    assert desk_lab.complaints == []
