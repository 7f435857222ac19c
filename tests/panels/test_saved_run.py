"""A saved run as people who audit it see it: no kernel, no JavaScript, no network."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.panels.conftest import BIN, shoot


def test_a_saved_release_is_readable_with_nothing_running(
    browser: Browser, sandbox_environ: dict[str, str], tmp_path: Path
) -> None:
    """Every step of the shipped release shows its outcome in the file as it was saved."""
    done = subprocess.run(
        [BIN / "ecr-widgets", "run", "release", "--json", "--runs", tmp_path],
        env=sandbox_environ,
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    saved = Path(json.loads(done.stdout)["notebook"])
    subprocess.run([BIN / "jupyter-nbconvert", "--to", "html", saved], capture_output=True, check=True)
    context = browser.new_context(
        java_script_enabled=False, offline=True, viewport={"width": 1000, "height": 1750}
    )
    page = context.new_page()
    page.goto(saved.with_suffix(".html").as_uri())
    for step in ("create_repository", "build_image", "push_image", "create_deploy", "verify"):
        expect(page.get_by_text(f"{step} succeeded").first).to_be_visible()
    shoot(page, "release")
    context.close()
