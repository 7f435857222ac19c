"""A saved run as people who audit it see it: no kernel, no JavaScript, no network."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.faults import forked
from tests.panels.conftest import BIN, shoot

STEPS = (
    "check_target",
    "login",
    "build_image",
    "create_repository",
    "push_image",
    "create_deploy",
    "create_service",
    "wait",
    "verify",
)


def test_a_saved_release_is_readable_with_nothing_running(
    browser: Browser, sandbox_environ: dict[str, str], tmp_path: Path
) -> None:
    """Every step of the shipped release shows its outcome in the file as it was saved."""
    done = forked.run(
        [BIN / "ecr-widgets", "run", "release", "-p", "service", "readable", "--json", "--runs", tmp_path],
        env=sandbox_environ,
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    saved = Path(json.loads(done.stdout)["notebook"])
    # Without the code, so that the picture has every step.
    convert = [BIN / "jupyter-nbconvert", "--to", "html", "--no-input", saved]
    subprocess.run(convert, capture_output=True, check=True)
    context = browser.new_context(
        java_script_enabled=False, offline=True, viewport={"width": 1000, "height": 600}
    )
    page = context.new_page()
    page.goto(saved.with_suffix(".html").as_uri())
    for step in STEPS:
        expect(page.get_by_text(f"{step} succeeded").first).to_be_visible()
    # As long as the page is: nothing of it is below the picture.
    page.set_viewport_size({"width": 1000, "height": page.evaluate("document.documentElement.scrollHeight")})
    for step in STEPS:
        expect(page.get_by_text(f"{step} succeeded").first).to_be_in_viewport()
    shoot(page, "release")
    context.close()
