"""A saved fleet as people look at it afterwards: no kernel, no JavaScript, no network."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.faults import forked
from tests.notebooks.engine_runs import write_runbook
from tests.panels.conftest import BIN, shoot


def test_a_saved_fleet_shows_each_wave_with_its_bar(browser: Browser, tmp_path: Path) -> None:
    """What became of the targets, how the first failed and what stopped the fleet, with nothing running."""
    write_runbook(
        tmp_path, ["if n in (4, 9): raise ValueError(f'{n} does not answer')"], "n: int = 0  # number"
    )
    (tmp_path / "targets.csv").write_text("n\n" + "".join(f"{n}\n" for n in range(1, 13)))
    words = ["--targets", "targets.csv", "--waves", "1,5", "--stop-after", "1", "--json"]
    done = forked.run([BIN / "ecr-widgets", "fleet", "book.ipynb", *words], cwd=tmp_path, capture_output=True)
    assert done.returncode == 1, done.stderr
    saved = tmp_path / json.loads(done.stdout)["notebook"]
    convert = [BIN / "jupyter-nbconvert", "--to", "html", "--no-input", saved]
    subprocess.run(convert, capture_output=True, check=True)
    context = browser.new_context(
        java_script_enabled=False, offline=True, viewport={"width": 1000, "height": 600}
    )
    page = context.new_page()
    page.goto(saved.with_suffix(".html").as_uri())
    for text in ("reason=ValueError: 4 does not answer", "2 targets failed so far, more than 1"):
        expect(page.get_by_text(text).first).to_be_visible()
    bars = page.locator("span[style*='height:8px;background:#c62828']")
    assert [round(bars.nth(at).bounding_box()["width"]) for at in range(bars.count())] == [64, 64]  # type: ignore[index]
    page.set_viewport_size({"width": 1000, "height": page.evaluate("document.documentElement.scrollHeight")})
    shoot(page, "fleet")
    context.close()
